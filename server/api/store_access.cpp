#include "server/api/store_access.hpp"

#include "base/log.hpp"

namespace verbatim::api {

net::HttpResponse storage_problem(Log& log, const store::StorageError& error) {
  log.error("store.failed", {{"kind", store::to_string(error.failure())}, {"why", error.what()}});
  return retry_later(
      net::problem(503, "storage unavailable",
                   store::public_reason(error.failure()) + ". The log has the details."));
}

}  // namespace verbatim::api
