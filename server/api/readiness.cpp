#include "server/api/readiness.hpp"

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/relay/upstream.hpp"
#include "storage/store/health.hpp"

namespace verbatim::api {

net::Awaitable<std::string> Readiness::prove_journal(net::Executor executor) {
  const auto start = [this](auto done) { parts_.health.prove_writable(done); };
  const auto deadline = net::Clock::now() + parts_.settings.get()->journal.slow_commit;
  const auto proved = co_await net::from_callback<store::StoreResult<>>(executor, deadline, start);
  if (!proved) co_return "the disk has not answered within journal.slow_commit";
  if (*proved) co_return std::string();
  const store::StorageError& error = proved->error();
  parts_.log.error("store.failed", {{"why", error.what()}});
  co_return store::public_reason(error.failure());
}

net::Awaitable<std::string> Readiness::journal_trouble(net::Executor executor) {
  if (std::string why = parts_.storage.journal_refusal(); !why.empty()) co_return why;
  const auto prove = [this, executor] { return prove_journal(executor); };
  co_return co_await journal_check_.get(executor, prove);
}

net::Awaitable<std::string> Readiness::upstream_trouble(net::Executor executor) {
  const auto probe = [this, executor] { return parts_.upstream.probe(executor); };
  co_return co_await upstream_check_.get(executor, probe);
}

}  // namespace verbatim::api
