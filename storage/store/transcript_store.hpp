// Reads sessions, attempts and transcripts. Uses a read-only connection with short transactions;
// works beside a running writer, also from another process.
//
// Used by one thread at a time (in the server, the reader thread). All reads throw StorageError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/render/render.hpp"
#include "storage/store/copies.hpp"
#include "storage/store/merges.hpp"

namespace verbatim::storage {

struct AttemptSummary {
  int number = 0;
  session::SessionStatus status = session::SessionStatus::created;
  TimeMs started_at = 0;
  std::optional<TimeMs> ended_at;
  std::optional<session::CloseReason> close_reason;
  bool complete = false;
  std::string model;
  std::size_t turns = 0;
  std::string usage_json = "[]";            ///< for a running attempt only if one session is read
  std::optional<session::Receipt> receipt;  ///< of a final attempt; not in lists
};

struct SessionSummary {
  std::string id;
  std::string user;
  std::string metadata_json = "{}";
  std::string private_json = "{}";  ///< metadata that only back ends read
  session::SessionStatus status = session::SessionStatus::created;
  TimeMs created_at = 0;
  std::vector<AttemptSummary> attempts;  ///< oldest first
};

struct SessionFilter {
  std::optional<session::SessionStatus> status;
  std::optional<std::string> user;
  std::optional<TimeMs> since;                                ///< created at or after
  std::optional<TimeMs> until;                                ///< created before
  std::vector<std::pair<std::string, std::string>> metadata;  ///< top-level string members
  std::size_t limit = 50;
  std::string cursor;  ///< next_cursor of the page before; empty for the first page
};

struct SessionPage {
  std::vector<SessionSummary> sessions;  ///< newest first
  std::string next_cursor;               ///< empty on the last page
};

/// The changes that a post made, and the attempt's totals now.
struct PostOutcome {
  session::Contribution brought;
  std::size_t turns = 0;
  bool complete = false;
};

class Database;

class TranscriptStore {
 public:
  /// Throws StorageError (not_found if there is no file). If a full disk leaves no room for the WAL
  /// index that readers share, the file is read without it, in its state of now, until open_anew().
  /// `merged_bytes_max`: bytes of copies whose merge is cached; 0: none.
  explicit TranscriptStore(const std::filesystem::path& file, std::size_t merged_bytes_max = 0);
  ~TranscriptStore();

  /// Opens the same file again and closes the earlier connection. If it throws, nothing is changed.
  void open_anew();

  SessionPage list(const SessionFilter& filter);
  std::optional<SessionSummary> session(const std::string& id);
  /// The session's user; nullopt if there is no such session.
  std::optional<std::string> owner_of(const std::string& id);
  /// `attempt`: default is the latest. A live attempt is folded from its durable journal rows,
  /// partial turns included. nullopt if there is no such session or attempt.
  std::optional<session::TranscriptView> transcript(const std::string& id,
                                                    std::optional<int> attempt = std::nullopt);
  /// All attempts, oldest first, in one snapshot. nullopt if there is no such session.
  std::optional<std::vector<session::TranscriptView>> transcripts(const std::string& id);

  /// nullopt if the session was erased meanwhile. An identical copy brings nothing.
  std::optional<PostOutcome> outcome_of(const KeptCopy& kept, const std::string& session_id);
  /// The counts of an attempt that note_merge() must record; nullopt: none.
  std::optional<MergeNews> merge_news(session::AttemptId attempt);

  /// Sessions whose last attempt ended before this time, oldest first. If an attempt was never
  /// relayed, its last post counts as its end.
  std::vector<std::string> ended_before(TimeMs time, std::size_t limit);

  /// An attempt that an earlier process suspended, with the values that are needed to continue it.
  struct SuspendedAttempt {
    session::AttemptId attempt = 0;
    std::string session_id;
    std::string user;
    int number = 0;
    std::string model;
    TimeMs suspended_at = 0;
    std::string settings_json;
  };
  std::optional<SuspendedAttempt> suspended(const std::string& session_id);
  std::vector<SuspendedAttempt> suspended_before(TimeMs time, std::size_t limit);
  /// The transcript of an attempt that has not ended.
  session::Transcript folded(session::AttemptId attempt);
  /// The same, for an attempt that will continue: its older and large items go to `spill`.
  session::Transcript folded(session::AttemptId attempt, std::unique_ptr<session::Spill> spill,
                             std::size_t items_in_memory);
  /// Sums the usage of this user's attempts that began in [from, to) and have ended.
  session::Usage used_by(const std::string& user, TimeMs from, TimeMs to);

  /// Any thread: a running statement soon ends with an error.
  void interrupt() noexcept;
  /// For other readers of the same connection (live_tail.hpp).
  Database& database();

 private:
  struct Impl;
  std::size_t merged_bytes_max_;
  std::unique_ptr<Impl> impl_;
};

// Changes. Run them through SqliteJournal::execute(); the command line runs them on a connection of
// its own. All throw StorageError.

/// Writes a value that it had already, so that the commit proves that the disk accepts writes.
void prove_writable(Database&);
struct NewSession {
  std::string id;
  std::string user;
  std::string metadata_json = "{}";
  std::string private_json = "{}";
  TimeMs now = 0;
  std::string idempotency;  ///< identifies the caller's Idempotency-Key; empty: it sent none
  std::string request;      ///< identifies the content of the request
};
struct MadeSession {
  enum class Outcome { made, there_already, another_users, key_of_another_request };
  Outcome outcome = Outcome::made;
  std::string id;  ///< of the session that was made, now or earlier with this key
};
/// Makes the session record before its first attempt. The key is stored in that record and erased
/// with it.
MadeSession create_session(Database&, const NewSession& asked);
/// RFC 7396 patches, as JSON.
struct MetadataPatch {
  std::string metadata;
  std::string private_metadata;
};
/// Applies the patches to the session's metadata and private metadata. Throws not_found; too_many
/// if one of them would exceed `bytes_max`.
void patch_metadata(Database&, const std::string& id, const MetadataPatch& patch,
                    std::size_t bytes_max);
/// Erases everything about a session: journal rows, turns, attempts, copies, messages. Revokes the
/// client tokens that were made for it. False if there is none. Precondition: it has no live
/// attempt.
bool erase_session(Database&, const std::string& id);

}  // namespace verbatim::storage
