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

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// Finds where a subscription begins; the parameters are those of TailRequest. nullopt if there is
/// no such session or attempt.
std::optional<store::TailStart> start_tail(sqlite::Database& database,
                                           const std::string& session_id,
                                           std::optional<int> attempt,
                                           std::optional<store::TailMark> seen);

class LiveTail {
 public:
  /// A tail of the quick lane leaves out attempts that take long to merge; one of the slow lane
  /// takes all.
  explicit LiveTail(store::MergeLane lane = store::MergeLane::slow) : lane_(lane) {}

  /// Follows exactly these attempts and returns the newest state of each: the same object as before
  /// if nothing changed. After an error the next call continues from where this one stopped.
  std::vector<std::pair<store::TailKey, std::shared_ptr<const store::TailState>>> look(
      sqlite::Database& database, const std::vector<store::TailWanted>& wanted);
  /// The attempts that the last look() left out: the slow lane's tail must follow them.
  std::vector<store::TailKey> take_slow() { return std::exchange(slow_, {}); }

 private:
  struct Tail {
    transcript::AttemptId attempt = 0;  ///< 0: does not exist yet
    transcript::Transcript fold;
    std::vector<transcript::Copy> copies;
    std::shared_ptr<const store::TailState> state;
    bool stale = true;  ///< new rows or copies have come
    bool slow = false;  ///< left out
    // The inputs of the tool calls in `state`.
    std::uint64_t tools_version = 0;
    std::vector<std::string> turn_ids;
    bool calls_stale = true;
  };

  void read_rows(sqlite::Database& database);
  void read_copies(sqlite::Database& database);
  void begin(sqlite::Database& database, Tail& tail, const store::TailWanted& wanted);
  void fold(sqlite::Database& database, Tail& tail, std::uint64_t seen);
  transcript::FinalTranscript heard(Tail& tail, bool& with_calls);
  void refresh(sqlite::Database& database, const store::TailKey& key, Tail& tail);

  bool leave_aside(sqlite::Database& database, Tail& tail, transcript::AttemptId attempt) const;

  const store::MergeLane lane_;
  std::vector<store::TailKey> slow_;
  std::map<store::TailKey, Tail> tails_;
  std::unordered_map<transcript::AttemptId, Tail*> by_attempt_;
  transcript::Sequence rows_to_ = 0;
  std::int64_t copies_to_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace verbatim::rows
