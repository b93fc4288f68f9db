// The states of conversations for subscribers of the event stream (storage/store/tail_store.hpp),
// folded from the journal's durable rows. Each look reads new rows once, for all conversations.
//
// One thread, the database's. Changes nothing. Throws StorageError.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "session/transcript/transcript.hpp"
#include "storage/rows/merges.hpp"
#include "storage/store/tail_store.hpp"

namespace verbatim::storage {

class Database;

/// Finds where a subscription begins; the parameters are those of TailRequest. nullopt if there is
/// no such session or attempt.
std::optional<TailStart> start_tail(Database& database, const std::string& session_id,
                                    std::optional<int> attempt,
                                    const std::optional<TailMark>& seen);

class LiveTail {
 public:
  /// A tail of the quick lane leaves out attempts that take long to merge; one of the slow lane
  /// takes all.
  explicit LiveTail(MergeLane lane = MergeLane::slow) : lane_(lane) {}

  /// Follows exactly these attempts and returns the newest state of each: the same object as before
  /// if nothing changed. After an error the next call continues from where this one stopped.
  std::vector<std::pair<TailKey, std::shared_ptr<const TailState>>> look(
      Database& database, const std::vector<TailWanted>& wanted);
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
  void begin(Database& database, Tail& tail, const TailWanted& wanted);
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
