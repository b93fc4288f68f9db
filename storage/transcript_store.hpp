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

#include "session/render.hpp"

namespace verbatim::storage {

struct AttemptSummary {
  int number = 0;
  session::SessionStatus status = session::SessionStatus::created;
  session::TimeMs started_at = 0;
  std::optional<session::TimeMs> ended_at;
  std::optional<session::CloseReason> close_reason;
  bool complete = false;
  std::string model;
  std::size_t turns = 0;
  std::string usage_json = "[]";
};

struct SessionSummary {
  std::string id;
  std::string user;
  std::string metadata_json = "{}";
  session::SessionStatus status = session::SessionStatus::created;
  session::TimeMs created_at = 0;
  std::vector<AttemptSummary> attempts;  ///< oldest first
};

struct SessionFilter {
  std::optional<session::SessionStatus> status;
  std::optional<std::string> user;
  std::optional<session::TimeMs> since;                       ///< created at or after
  std::optional<session::TimeMs> until;                       ///< created before
  std::vector<std::pair<std::string, std::string>> metadata;  ///< top-level string members
  std::size_t limit = 50;
  std::string cursor;  ///< from the page before; empty for the first
};

struct SessionPage {
  std::vector<SessionSummary> sessions;  ///< newest first
  std::string next_cursor;               ///< empty on the last page
};

class TranscriptStore {
 public:
  /// Throws StorageError (not_found if there is no file).
  explicit TranscriptStore(const std::filesystem::path& file);
  ~TranscriptStore();

  SessionPage list(const SessionFilter& filter);
  std::optional<SessionSummary> session(const std::string& id);
  /// Default: the latest attempt. A live attempt is folded from the journal: what is durable,
  /// partial turns included. nullopt if there is no such session or attempt.
  std::optional<session::TranscriptView> transcript(const std::string& id,
                                                    std::optional<int> attempt = std::nullopt);

  struct ClientSecret {
    std::string id;
    std::string session_config_json;
    session::TimeMs expires_at = 0;
  };
  std::optional<ClientSecret> client_secret(const std::string& id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Changes, to be run through SqliteJournal::execute(), or by the command line on a database of
// its own. All throw StorageError.
class Database;

/// Writes something that changes nothing, so that the commit proves that the disk takes it.
void prove_writable(Database&);
/// Makes the session record ahead of its first attempt. False if it was there already.
bool create_session(Database&, const std::string& id, const std::string& user,
                    const std::string& metadata_json, session::TimeMs now);
/// Keeps the session configuration that a client token stands for.
void save_client_secret(Database&, const TranscriptStore::ClientSecret&);
/// Removes secrets that have expired.
void prune_client_secrets(Database&, session::TimeMs now);
/// Erases everything about a session: journal rows, turns, attempts. False if there is none.
/// Precondition: it has no live attempt.
bool erase_session(Database&, const std::string& id);

}  // namespace verbatim::storage
