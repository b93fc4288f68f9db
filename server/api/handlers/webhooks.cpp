// The calls of the API that list webhook deliveries and send them again.

#include "base/json/tree.hpp"
#include "base/log.hpp"
#include "server/api/delivery_json.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/webhooks/dispatcher.hpp"

namespace verbatim::api::handlers {

net::Awaitable<net::HttpResponse> list_deliveries(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_delivery_filter(context.request);
  if (!asked) co_return std::move(asked).error();
  const auto call = [&](auto done) {
    api.webhooks.list_deliveries(*asked, {"GET /v1/webhooks/deliveries"}, done);
  };
  auto page = co_await ask_store<store::DeliveryPage>(api, context, call);
  if (!page) co_return std::move(page).error();
  co_return json_response(to_json(*page));
}

net::Awaitable<net::HttpResponse> retry_delivery(const ApiServices& api, RequestContext& context) {
  using Outcome = store::RetriedDelivery::Outcome;
  const auto call = [&](auto done) { api.webhooks.retry_delivery(context.id, done); };
  auto retried = co_await ask_store<store::RetriedDelivery>(api, context, call);
  if (!retried) co_return std::move(retried).error();
  switch (retried->outcome) {
    case Outcome::not_found:
      co_return net::problem(404, "not found",
                             "There is no such delivery; see GET /v1/webhooks/deliveries.");
    case Outcome::delivered:
      co_return net::problem(409, "already delivered", "The target has received this message.");
    case Outcome::no_target:
      co_return net::problem(409, "target not configured",
                             "The delivery's target is no longer in webhook.targets.");
    case Outcome::due:
      break;
  }
  api.log.info("webhook.retried", {{"delivery", context.id}, {"by", context.principal.user}});
  co_return json_response(to_json(*retried->record));
}

}  // namespace verbatim::api::handlers
