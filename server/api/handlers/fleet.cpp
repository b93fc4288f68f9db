// The call of the API that shows the nodes of the fleet.

#include "base/json/tree.hpp"
#include "server/api/fleet_json.hpp"
#include "server/api/handler.hpp"
#include "server/api/responses.hpp"
#include "server/api/shared_store.hpp"
#include "server/api/store_access.hpp"

namespace verbatim::api::handlers {

net::Awaitable<net::HttpResponse> show_fleet(const ApiServices& api, RequestContext& context) {
  if (api.shared == nullptr)
    co_return net::problem(404, "no fleet", "This relay is alone: fleet.url is not set.");
  const auto call = [&](auto done) { api.shared->nodes.read(done); };
  auto fleet = co_await ask_store<relay::Fleet>(api, context, call);
  if (!fleet) co_return std::move(fleet).error();
  co_return json_response(to_json(*fleet, api.shared->nodes.own_incarnation()));
}

}  // namespace verbatim::api::handlers
