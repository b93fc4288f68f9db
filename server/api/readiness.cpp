#include "server/api/readiness.hpp"

#include <optional>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/relay/upstream.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::server {

Awaitable<std::string> Readiness::prove_journal(Executor executor) {
  using Outcome = std::optional<storage::StorageError>;
  const auto start = [this](auto done) {
    parts_.journal.execute(storage::prove_writable,
                           [done](const storage::StorageError* error) mutable {
                             done(error ? Outcome(*error) : Outcome());
                           });
  };
  const auto deadline = Clock::now() + parts_.settings.journal.slow_commit;
  const auto failed = co_await from_callback<Outcome>(executor, deadline, start);
  if (!failed) co_return "the disk has not answered within journal.slow_commit";
  if (*failed) parts_.log.error("store.failed", {{"why", (*failed)->what()}});
  co_return *failed ? public_reason((*failed)->failure()) : std::string();
}

Awaitable<std::string> Readiness::journal_trouble(Executor executor) {
  if (std::string why = parts_.storage.refusal(); !why.empty()) co_return why;
  const auto prove = [this, executor] { return prove_journal(executor); };
  co_return co_await journal_check_.get(executor, prove);
}

Awaitable<std::string> Readiness::upstream_trouble(Executor executor) {
  const auto probe = [this, executor] { return parts_.upstream.probe(executor); };
  co_return co_await upstream_check_.get(executor, probe);
}

}  // namespace verbatim::server
