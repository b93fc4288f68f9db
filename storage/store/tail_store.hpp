// States of conversations for subscribers of the event stream, made from what is durable. Each look
// reads what is new once, for all conversations and subscribers. It makes an immutable state of
// each conversation that changed.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/transcript/render/render.hpp"
#include "storage/store/call.hpp"

namespace verbatim::store {

/// Names a state of an attempt, so that a subscriber can say how much it has seen. `number` is the
/// last event that the state may contain; after the attempt's end, the last posted copy.
struct TailMark {
  int attempt = 0;
  bool final = false;
  std::uint64_t number = 0;

  friend bool operator==(const TailMark&, const TailMark&) = default;
};
/// "3.1207" while attempt 3 runs, "3.final.12" after its end.
std::string to_string(const TailMark&);
std::optional<TailMark> tail_mark_from_string(std::string_view);

/// A turn or a tool call with its JSON; shared by all states in which it is the same.
template <class Value>
struct TailEntry {
  Value value;
  std::string json;
  /// Number of the state since which the entry is unchanged: subscribers that have seen that state
  /// have the entry. `always`: that number is unknown, so the entry is sent again.
  std::uint64_t changed = 0;
  std::uint64_t generation = 0;  ///< of the state in which the entry got this value

  static constexpr std::uint64_t always = UINT64_MAX;
};
using TailTurn = TailEntry<transcript::MergedTurn>;
using TailCall = TailEntry<transcript::ToolCall>;

template <class Value>
using TailEntries = std::vector<std::shared_ptr<const TailEntry<Value>>>;
using TailTurns = TailEntries<transcript::MergedTurn>;
using TailCalls = TailEntries<transcript::ToolCall>;

/// An attempt at one moment.
struct TailState {
  transcript::TranscriptView head;  ///< without its turns and tool calls
  TailTurns turns;
  TailCalls calls;
  TailMark mark;
  std::uint64_t generation = 0;  ///< grows with every state
  bool gone = false;             ///< the session no longer exists
};

/// The entries that a subscriber has not seen. `before` is the last state it was sent; if null,
/// `seen` is the number of the state it has seen. The entries replace those at their places;
/// entries beyond the end of the state are gone.
template <class Value>
TailEntries<Value> unseen(const TailEntries<Value>& entries, const TailState* before,
                          std::uint64_t seen) {
  TailEntries<Value> fresh;
  for (const auto& entry : entries)
    if (before ? entry->generation > before->generation : entry->changed > seen)
      fresh.push_back(entry);
  return fresh;
}

struct TailKey {
  std::string session_id;
  int attempt = 1;

  auto operator<=>(const TailKey&) const = default;
};

/// A request to watch a session, and the state to start from.
struct TailRequest {
  std::string session_id;
  /// None: the latest. A session without attempts counts as attempt 1, which is still to come.
  std::optional<int> attempt;
  std::optional<TailMark> seen;  ///< the last state that the subscriber has; none: it has nothing
};

/// How a subscription begins.
struct TailStart {
  TailKey key;
  /// Set if the attempt has ended: its final state, with the turns that changed since the given
  /// mark.
  std::shared_ptr<const TailState> ended;
  /// Set if the subscriber has not seen the end of an earlier attempt: that attempt's final state.
  std::shared_ptr<const TailState> before;
  bool nothing_new = false;  ///< the attempt has ended, and the subscriber has seen all of it
  /// The mark is another store's, whose numbers mean nothing here: the subscriber has seen nothing.
  bool foreign_mark = false;
};

/// An attempt to follow.
struct TailWanted {
  TailKey key;
  std::uint64_t seen = 0;  ///< number of the state that the first subscriber has seen
  /// The last state that the other lane has shown of it: this one continues from there.
  std::shared_ptr<const TailState> state = nullptr;
};
struct TailLook {
  /// The newest state of each attempt: the same object as before if nothing changed.
  std::vector<std::pair<TailKey, std::shared_ptr<const TailState>>> states;
  /// Attempts that were left out: the slow lane must follow them.
  std::vector<TailKey> slow;
};

class TailStore {
 public:
  virtual ~TailStore() = default;

  /// Any thread. nullopt if there is no such session or attempt.
  virtual void start_tail(TailRequest request, ReadLabel label,
                          Done<std::optional<TailStart>> done) = 0;
  /// Follows exactly these attempts from now on. Each lane has one caller, which waits for a result
  /// before it looks again; after an error the next look continues from where this one stopped. The
  /// quick lane leaves out attempts that take long to merge; the slow lane takes all.
  virtual void look(MergeLane lane, std::vector<TailWanted> wanted, Done<TailLook> done) = 0;
};

}  // namespace verbatim::store
