#include "server/api/store_access.hpp"

#include "base/log.hpp"

namespace verbatim::api {

net::HttpResponse fleet_database_unavailable(const std::string& detail) {
  return retry_later(net::problem(503, "fleet database unavailable", detail));
}

net::HttpResponse storage_problem(Log& log, const store::StorageError& error) {
  // The reader of the database has logged it, once for many requests.
  if (error.failure() == store::Failure::fleet_database)
    return fleet_database_unavailable(store::public_reason(error.failure()) +
                                      ". Sessions of this relay can still be read.");
  log.error("store.failed", {{"kind", store::to_string(error.failure())}, {"why", error.what()}});
  return retry_later(
      net::problem(503, "storage unavailable",
                   store::public_reason(error.failure()) + ". The log has the details."));
}

}  // namespace verbatim::api
