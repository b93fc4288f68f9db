#include "server/api/request_context.hpp"

namespace verbatim::api {

std::string RequestContext::share() const {
  // A token that names no user has the back end as its user: such tokens do not share.
  const bool has_user = is_client() && principal.claims->user_named;
  return has_user ? "user " + principal.user : "session " + id;
}

}  // namespace verbatim::api
