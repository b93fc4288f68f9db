// Reading what is kept: sessions, attempts, transcripts. Read-only connections with short
// transactions; works beside a running writer, also from another process.
//
// An object is used by one thread at a time (the server keeps it on its reader thread).
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
  std::string usage_json = "[]";  ///< of one that runs only where one session is asked for
  std::optional<session::Receipt> receipt;  ///< of a final one; left out of lists
};

struct SessionSummary {
  std::string id;
  std::string user;
  std::string metadata_json = "{}";
  std::string private_json = "{}";  ///< the half of it that only back ends read
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
  std::string cursor;  ///< from the page before; empty for the first
};

struct SessionPage {
  std::vector<SessionSummary> sessions;  ///< newest first
  std::string next_cursor;               ///< empty on the last page
};

/// What a post has changed, and how the attempt stands now.
struct PostOutcome {
  session::Contribution brought;
  std::size_t turns = 0;
  bool complete = false;
};

class Database;

class TranscriptStore {
 public:
  /// Throws StorageError (not_found if there is no file). If a full disk leaves no room for the
  /// index that readers share, it is read without one: as it is now, until open_anew().
  /// `merged_bytes_max`: of copies whose merge is kept for the next read; 0: none.
  explicit TranscriptStore(const std::filesystem::path& file, std::size_t merged_bytes_max = 0);
  ~TranscriptStore();

  /// The same file once more; what was opened before is closed. If it throws, nothing is changed.
  void open_anew();

  SessionPage list(const SessionFilter& filter);
  std::optional<SessionSummary> session(const std::string& id);
  /// Its user; nullopt if there is no such session.
  std::optional<std::string> owner_of(const std::string& id);
  /// Default: the latest attempt. A live attempt is folded from the journal: what is durable,
  /// partial turns included. nullopt if there is no such session or attempt.
  std::optional<session::TranscriptView> transcript(const std::string& id,
                                                    std::optional<int> attempt = std::nullopt);
  /// Of every attempt, oldest first, as of one moment. nullopt if there is no such session.
  std::optional<std::vector<session::TranscriptView>> transcripts(const std::string& id);

  /// nullopt if the session has been erased meanwhile. The same copy a second time brings nothing.
  std::optional<PostOutcome> outcome_of(const KeptCopy& kept, const std::string& session_id);
  /// What is still to be written down of an attempt's copies, for note_merge(); nullopt: nothing.
  std::optional<MergeNews> merge_news(session::AttemptId attempt);

  /// Sessions that are over and whose last attempt ended before this time, oldest first. One that
  /// nobody has relayed was over with its last post.
  std::vector<std::string> ended_before(TimeMs time, std::size_t limit);

  /// An attempt that a process before this one has suspended, with all that it takes to go on.
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
  /// What was said in an attempt that is not over.
  session::Transcript folded(session::AttemptId attempt);
  /// The same, to be carried on: its older items and what is large in it go to `spill`.
  session::Transcript folded(session::AttemptId attempt, std::unique_ptr<session::Spill> spill,
                             std::size_t items_in_memory);
  /// What the attempts used that this user's sessions began in [from, to) and that have ended.
  session::Usage used_by(const std::string& user, TimeMs from, TimeMs to);

  /// Any thread: a statement that is running ends soon, with an error.
  void interrupt() noexcept;
  /// For what is read in another way (live_tail.hpp).
  Database& database();

 private:
  struct Impl;
  std::size_t merged_bytes_max_;
  std::unique_ptr<Impl> impl_;
};

// Changes, to be run through SqliteJournal::execute(), or by the command line on a database of
// its own. All throw StorageError.

/// Writes something that changes nothing, so that the commit proves that the disk takes it.
void prove_writable(Database&);
struct NewSession {
  std::string id;
  std::string user;
  std::string metadata_json = "{}";
  std::string private_json = "{}";
  TimeMs now = 0;
  std::string idempotency;  ///< what names the caller's key; empty: it gave none
  std::string request;      ///< what tells its request from others
};
struct MadeSession {
  enum class Outcome { made, there_already, another_users, key_of_another_request };
  Outcome outcome = Outcome::made;
  std::string id;  ///< of the one that was made, or that the key has made before
};
/// Makes the session record ahead of its first attempt. The key is kept with the session, for as
/// long as that is: what erases the one erases the other.
MadeSession create_session(Database&, const NewSession& asked);
/// RFC 7396 patches, as JSON.
struct MetadataPatch {
  std::string metadata;
  std::string private_metadata;
};
/// Applies them to the session's metadata and its private half. not_found; too_many if one of them
/// would have more than `bytes_max`.
void patch_metadata(Database&, const std::string& id, const MetadataPatch& patch,
                    std::size_t bytes_max);
/// Erases everything about a session: journal rows, turns, attempts; the client tokens that were
/// made for it are revoked. False if there is none.
/// Precondition: it has no live attempt.
bool erase_session(Database&, const std::string& id);

}  // namespace verbatim::storage
