// Erases sessions: on request, and once they are older than storage.retention. One way for both, so
// that what one forgets the other does not keep: database, captured streams, and a line in the log.
//
// Any thread; the look for what is too old runs on the control thread, one session a change, so
// that conversations never wait for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/relay/metrics.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/traffic_capture.hpp"
#include "server/store/store_reader.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::server {

struct Erased {
  enum class Outcome {
    erased,
    not_found,
    live,
    busy,
    storage_failure,
    capture_failure  ///< what was captured of it could not be removed; all of the rest is still
                     ///< there
  };
  Outcome outcome = Outcome::not_found;
  std::optional<storage::StorageError> error;
};

class Erasure {
 public:
  enum class Why { request, retention };

  /// `capture`: null where nothing is captured. `closing_max`: how long a session that is over may
  /// take to close its connections. `resume_window`: how long an expired token may still be good
  /// after the end of its session.
  Erasure(storage::SqliteJournal& journal, StoreReader& reader, Registry& registry,
          Capture* capture, config::milliseconds closing_max, config::milliseconds resume_window,
          Log& log)
      : journal_(journal),
        reader_(reader),
        registry_(registry),
        capture_(capture),
        closing_max_(closing_max),
        resume_window_(resume_window),
        log_(log) {}

  Awaitable<Erased> erase(Executor executor, const std::string& id, Why why, const std::string& by);
  /// For ever. `retention` is not 0.
  Awaitable<void> keep_for(Executor executor, config::milliseconds retention);

  ErasureGauges gauges() const { return {by_request_, by_retention_}; }

 private:
  Awaitable<Admission> take_place(Executor executor, const std::string& id, Why why);
  Awaitable<Erased> erase_in_place(Executor executor, const std::string& id);
  Awaitable<void> erase_ended_before(Executor executor, TimeMs time);

  storage::SqliteJournal& journal_;
  StoreReader& reader_;
  Registry& registry_;
  Capture* capture_;
  const config::milliseconds closing_max_;
  const config::milliseconds resume_window_;
  Log& log_;
  std::atomic<std::uint64_t> by_request_{0};
  std::atomic<std::uint64_t> by_retention_{0};
};

/// For a process that is not the server, also while one runs: the session and its traces in the
/// log. Waits some seconds for others that read or move the log. False: they kept it, and the words
/// are still in it. Throws StorageError.
bool erase_beside_server(storage::Database& database, const std::string& id);

}  // namespace verbatim::server
