// States of conversations for subscribers of the event stream, folded from the journal's durable
// rows. Each look reads new rows once, for all conversations and subscribers. It makes an immutable
// state of each conversation that changed.
//
// One thread, the database's (the server's reader). Changes nothing. Throws StorageError.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "session/transcript/render/render.hpp"
#include "storage/store/attempt.hpp"
#include "storage/store/copies.hpp"
#include "storage/store/merges.hpp"

namespace verbatim::storage {

class Database;

/// Names a state of an attempt, so that a subscriber can say how much it has seen. `number` is the
/// last journal row that the state may contain; after the attempt's end, the last posted copy.
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
  /// A subscriber that has seen the state of this number has seen this entry. `always`: unknown, so
  /// it is sent again.
  std::uint64_t changed = 0;
  std::uint64_t generation = 0;  ///< of the state in which it became so

  static constexpr std::uint64_t always = UINT64_MAX;
};
using TailTurn = TailEntry<session::MergedTurn>;
using TailCall = TailEntry<session::ToolCall>;

template <class Value>
using TailEntries = std::vector<std::shared_ptr<const TailEntry<Value>>>;
using TailTurns = TailEntries<session::MergedTurn>;
using TailCalls = TailEntries<session::ToolCall>;

/// An attempt at one moment.
struct TailState {
  session::TranscriptView head;  ///< without its turns and tool calls
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

/// How a subscription begins.
struct TailStart {
  TailKey key;
  /// Set if the attempt has ended: its final state, with the turns that changed since the given
  /// mark.
  std::shared_ptr<const TailState> ended;
  /// Set if the subscriber has not seen the end of an earlier attempt: that attempt's final state.
  std::shared_ptr<const TailState> before;
  bool nothing_new = false;  ///< the attempt has ended, and the subscriber has seen all of it
};
/// Finds where a subscription begins. nullopt if there is no such session or attempt.
/// - `attempt`: none means the latest. A session without attempts counts as attempt 1, which is
///   still to come.
/// - `seen`: the last state that the subscriber has; none: it has nothing.
std::optional<TailStart> start_tail(Database& database, const std::string& session_id,
                                    std::optional<int> attempt,
                                    const std::optional<TailMark>& seen);

class LiveTail {
 public:
  /// A tail of the quick lane leaves out attempts that take long to merge; one of the slow lane
  /// takes all.
  explicit LiveTail(MergeLane lane = MergeLane::slow) : lane_(lane) {}

  struct Wanted {
    TailKey key;
    std::uint64_t seen = 0;  ///< number of the state that the first subscriber has seen
    /// The last state that another LiveTail has shown of it: this one continues from there.
    std::shared_ptr<const TailState> state = nullptr;
  };
  /// Follows exactly these attempts and returns the newest state of each: the same object as before
  /// if nothing changed. After an error the next call continues from where this one stopped.
  std::vector<std::pair<TailKey, std::shared_ptr<const TailState>>> look(
      Database& database, const std::vector<Wanted>& wanted);
  /// The attempts that the last look() left out: the slow lane's tail must follow them.
  std::vector<TailKey> take_slow() { return std::exchange(slow_, {}); }

 private:
  struct Tail {
    session::AttemptId attempt = 0;  ///< 0: does not exist yet
    session::Transcript fold;
    std::vector<session::Copy> copies;
    std::shared_ptr<const TailState> state;
    bool stale = true;  ///< new rows or copies have come
    bool slow = false;  ///< left out
    // The inputs of the tool calls in `state`.
    std::uint64_t tools_version = 0;
    std::vector<std::string> turn_ids;
    bool calls_stale = true;
  };

  void read_rows(Database& database);
  void read_copies(Database& database);
  void begin(Database& database, Tail& tail, const Wanted& wanted);
  void fold(Database& database, Tail& tail, std::uint64_t seen);
  session::FinalTranscript heard(Tail& tail, bool& with_calls);
  void refresh(Database& database, const TailKey& key, Tail& tail);

  bool leave_aside(Database& database, Tail& tail, session::AttemptId attempt) const;

  const MergeLane lane_;
  std::vector<TailKey> slow_;
  std::map<TailKey, Tail> tails_;
  std::unordered_map<session::AttemptId, Tail*> by_attempt_;
  session::Sequence rows_to_ = 0;
  std::int64_t copies_to_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace verbatim::storage
