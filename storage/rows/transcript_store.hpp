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
#include "storage/rows/copies.hpp"
#include "storage/rows/fold.hpp"
#include "storage/rows/merges.hpp"
#include "storage/store/session_store.hpp"
#include "storage/store/suspended_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

class TranscriptStore {
 public:
  /// Throws StorageError (not_found if there is no file). If a full disk leaves no room for the WAL
  /// index that readers share, the file is read without it, in its present state, until
  /// open_anew(). `merged_bytes_max`: bytes of copies whose merge is cached; 0: none.
  explicit TranscriptStore(const std::filesystem::path& file, std::size_t merged_bytes_max = 0);
  /// An empty store in memory, for the rows of another database. `name`: in messages.
  static TranscriptStore in_memory(const std::string& name);
  ~TranscriptStore();

  /// Opens the same file again and closes the earlier connection. If it throws, nothing is changed.
  void open_anew();

  store::SessionPage list(const store::SessionFilter& filter);
  std::optional<store::SessionSummary> session(const std::string& id);
  /// The session's user; nullopt if there is no such session.
  std::optional<std::string> owner_of(const std::string& id);
  /// `attempt`: default is the latest. A live attempt is folded from its durable journal rows,
  /// partial turns included. nullopt if there is no such session or attempt.
  std::optional<transcript::TranscriptView> transcript(const std::string& id,
                                                       std::optional<int> attempt = std::nullopt);
  /// All attempts, oldest first, in one snapshot. nullopt if there is no such session.
  std::optional<std::vector<transcript::TranscriptView>> transcripts(const std::string& id);
  /// Calls transcript() or transcripts(), as the request asks.
  std::optional<store::TranscriptViews> read(const store::TranscriptRequest& request);

  /// nullopt if the session was erased meanwhile. An identical copy brings nothing.
  std::optional<store::PostOutcome> outcome_of(const store::KeptCopy& kept,
                                               const std::string& session_id);
  /// The counts of an attempt that note_merge() must record; nullopt: none.
  std::optional<MergeNews> merge_news(transcript::AttemptId attempt);

  /// Sessions whose last attempt ended before this time, oldest first. If an attempt was never
  /// relayed, its last post counts as its end.
  std::vector<std::string> ended_before(TimeMs time, std::size_t limit);

  std::optional<store::SuspendedAttempt> suspended(const std::string& session_id);
  std::vector<store::SuspendedAttempt> suspended_before(TimeMs time, std::size_t limit);
  /// An attempt that has not ended. `into`: where its older and large items go, if it continues.
  Folded folded(transcript::AttemptId attempt, FoldInto into = {});
  /// Sums the usage of this user's attempts that began in [from, to) and have ended.
  transcript::Usage used_by(const std::string& user, TimeMs from, TimeMs to);

  /// Any thread: a running statement soon ends with an error.
  void interrupt() noexcept;
  /// For other readers of the same connection (live_tail.hpp).
  sqlite::Database& database();

 private:
  struct Impl;
  explicit TranscriptStore(std::unique_ptr<Impl> impl);
  std::size_t merged_bytes_max_;
  std::unique_ptr<Impl> impl_;
};

// Changes. Run them through SqliteJournal::execute(); the command line runs them on a connection of
// its own. All throw StorageError.

/// Writes a value that it had already, so that the commit proves that the disk accepts writes.
void prove_writable(sqlite::Database&);
/// Makes the session record before its first attempt. The key is stored in that record and erased
/// with it.
store::MadeSession create_session(sqlite::Database&, const store::NewSession& asked);
/// Applies the patches to the session's metadata and private metadata. Throws not_found; too_many
/// if one of them would exceed `bytes_max`.
void patch_metadata(sqlite::Database&, const std::string& id, const store::MetadataPatch& patch,
                    std::size_t bytes_max);
/// Whether an attempt of the session has neither ended nor been suspended: a process runs it, or
/// was killed and no recovery has been made.
bool has_live_attempt(sqlite::Database&, const std::string& id);
/// Erases everything about a session: journal rows, turns, attempts, copies, messages. Revokes the
/// client tokens that were made for it. False if there is none. No process may run an attempt of
/// it: later rows would have no attempt.
bool erase_session(sqlite::Database&, const std::string& id);
/// The same without its client tokens, which stay as they are.
bool remove_session(sqlite::Database&, const std::string& id);

}  // namespace verbatim::rows
