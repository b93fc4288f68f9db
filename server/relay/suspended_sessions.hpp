// Conversations that the previous process has suspended (server.restart = "handover"). They are
// resumed when their client returns, and ended when it does not.
//
// Any thread; the search for expired ones runs on the control thread. Storage errors are values.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "server/relay/session_registry.hpp"
#include "server/store/store_reader.hpp"
#include "session/transcript/transcript.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::server {

/// Where resumed conversations keep their older items.
struct SpillSettings {
  std::filesystem::path folder;
  std::size_t items_in_memory = 0;
};

class SuspendedSessions {
 public:
  SuspendedSessions(storage::SqliteJournal& journal, StoreReader& reader, Registry& registry,
                    std::chrono::milliseconds resume_window, SpillSettings spill, Log& log)
      : journal_(journal),
        reader_(reader),
        registry_(registry),
        resume_window_(resume_window),
        spill_(std::move(spill)),
        log_(log) {}

  /// Sets the number that recovery has left. At 0 there is no search.
  void expect(std::size_t count) { left_ = count; }

  struct Taken {
    storage::OpenedAttempt opened;
    session::Transcript transcript;
    std::string settings_json;
  };
  using Outcome = std::variant<std::monostate, Taken, storage::StorageError>;
  /// Takes the session's suspended attempt into this process. Empty result: there is none, or it is
  /// another user's. Precondition: the caller holds the session's id in the registry.
  Awaitable<Outcome> take_up(Executor executor, std::string session_id, std::string user);

  /// Ends conversations whose client did not return in time, until none are left.
  Awaitable<void> end_those_left(Executor executor);

 private:
  Awaitable<bool> end_one(Executor executor, const std::string& session_id,
                          session::AttemptId attempt, TimeMs suspended_at);

  storage::SqliteJournal& journal_;
  StoreReader& reader_;
  Registry& registry_;
  const std::chrono::milliseconds resume_window_;
  const SpillSettings spill_;
  Log& log_;
  std::atomic<std::size_t> left_{0};
};

}  // namespace verbatim::server
