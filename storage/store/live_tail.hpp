// Conversations as those who watch them see them: folded from the journal's durable rows as they
// come. Each look reads what is new once, however many conversations are watched and by how many,
// and leaves an immutable state of each that has changed.
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

/// How much of an attempt somebody has seen: the name of a state. While it runs a state is named by
/// the last journal row that may be in it, once it is over by the last posted copy that is.
struct TailMark {
  int attempt = 0;
  bool final = false;
  std::uint64_t number = 0;

  friend bool operator==(const TailMark&, const TailMark&) = default;
};
/// "3.1207" while attempt 3 runs, "3.final.12" of its end.
std::string to_string(const TailMark&);
std::optional<TailMark> tail_mark_from_string(std::string_view);

/// A turn, or a tool call, as it is shown; shared by all states in which it is the same.
template <class Value>
struct TailEntry {
  Value value;
  std::string json;
  /// Whoever has seen the state of this number has seen it so. `always`: nobody can tell.
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

/// An attempt as it stands.
struct TailState {
  session::TranscriptView head;  ///< without its turns and tool calls
  TailTurns turns;
  TailCalls calls;
  TailMark mark;
  std::uint64_t generation = 0;  ///< grows with every state
  bool gone = false;             ///< there is no such session any more
};

/// What of a state is new to somebody who has seen `before`, or, where that is null, the state of
/// this number. Its turns fill their places; what is behind the last of the state is no more.
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

/// What somebody asks to see, before anything is shown.
struct TailStart {
  TailKey key;
  /// The attempt is over: all that there is to tell, turns changed since the mark that was given.
  std::shared_ptr<const TailState> ended;
  /// An earlier attempt of which the end has not been seen.
  std::shared_ptr<const TailState> before;
  bool nothing_new = false;  ///< it is over, and all of it has been seen
};
/// `attempt`: none means the latest. nullopt if there is no such session or attempt; a session that
/// has none yet will have a first.
std::optional<TailStart> start_tail(Database& database, const std::string& session_id,
                                    std::optional<int> attempt,
                                    const std::optional<TailMark>& seen);

class LiveTail {
 public:
  /// One of the quick lane leaves those aside that take long to merge; one of the slow lane takes
  /// whatever it is asked for.
  explicit LiveTail(MergeLane lane = MergeLane::slow) : lane_(lane) {}

  struct Wanted {
    TailKey key;
    std::uint64_t seen = 0;  ///< number of the state that the first who asks has seen
    /// What another has shown of it last: this one goes on from there.
    std::shared_ptr<const TailState> state = nullptr;
  };
  /// Follows these and no others, and gives the newest state of each: the same object as before
  /// where nothing has changed. After an error the next look goes on from where this one came to.
  std::vector<std::pair<TailKey, std::shared_ptr<const TailState>>> look(
      Database& database, const std::vector<Wanted>& wanted);
  /// Those that the last look has left aside: they are another's from now on.
  std::vector<TailKey> take_slow() { return std::exchange(slow_, {}); }

 private:
  struct Tail {
    session::AttemptId attempt = 0;  ///< 0: not begun
    session::Transcript fold;
    std::vector<session::Copy> copies;
    std::shared_ptr<const TailState> state;
    bool stale = true;  ///< rows or copies have come
    bool slow = false;  ///< left aside
    // What the tool calls in `state` were made from.
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
