#include "server/api/store_access.hpp"

#include "base/log.hpp"
#include "server/net/from_callback.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::server {

HttpResponse storage_problem(Log& log, const storage::StorageError& error) {
  log.error("store.failed", {{"kind", to_string(error.failure())}, {"why", error.what()}});
  return retry_later(problem(503, "storage unavailable",
                             public_reason(error.failure()) + ". The log has the details."));
}

Awaitable<std::optional<storage::StorageError>> change_store(
    const ApiParts& api, const RequestContext& context,
    std::function<void(storage::Database&)> work) {
  using Failed = std::optional<storage::StorageError>;
  const auto start = [&api, &work](auto done) {
    api.journal.execute(work, [done](const storage::StorageError* error) mutable {
      done(error ? Failed(*error) : Failed());
    });
  };
  co_return co_await from_callback<Failed>(context.executor(), start);
}

}  // namespace verbatim::server
