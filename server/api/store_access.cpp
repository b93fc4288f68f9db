#include "server/api/store_access.hpp"

#include "base/log.hpp"

namespace verbatim::server {

HttpResponse storage_problem(Log& log, const storage::StorageError& error) {
  log.error("store.failed", {{"kind", to_string(error.failure())}, {"why", error.what()}});
  return retry_later(problem(503, "storage unavailable",
                             public_reason(error.failure()) + ". The log has the details."));
}

}  // namespace verbatim::server
