// verbatim webhooks deliveries, retry; also while a server runs
#include "server/app/commands/deliveries.hpp"

#include <iostream>
#include <optional>

#include "base/clock.hpp"
#include "base/json/tree.hpp"
#include "base/printable.hpp"
#include "server/api/delivery_json.hpp"
#include "server/app/commands/offline.hpp"
#include "server/webhooks/kinds.hpp"

namespace verbatim::app {

namespace {

struct DeliveriesOptions {
  std::string target;
  std::string state;
  std::string session;
  std::string cursor;
  std::size_t limit = 50;
};

std::optional<std::string> if_given(const std::string& value) {
  return value.empty() ? std::nullopt : std::optional(value);
}

void print_delivery(const store::DeliveryRecord& record) {
  const store::WebhookMessage& message = record.delivery.message;
  std::cout << record.id << "  " << iso_time(message.created_at) << "  "
            << store::to_string(message.kind) << "  " << message.session_id << "  "
            << printable(record.delivery.target) << "  " << store::to_string(record.delivery.state)
            << "  tries=" << message.tries << "\n";
  for (const store::DeliveryTry& one : record.tries) {
    std::cout << "    " << iso_time(one.at) << "  " << one.took_ms << " ms  "
              << (one.error.empty() ? "status " + std::to_string(one.status)
                                    : printable(one.error));
    if (!one.answer.empty()) std::cout << "  " << printable(one.answer);
    std::cout << "\n";
  }
}

void add_deliveries_options(CLI::App& parser, DeliveriesOptions& options) {
  constexpr std::size_t limit_max = 500;
  parser.add_option("--target", options.target, "only messages for this target");
  parser.add_option("--state", options.state, "only with this state: waiting, delivered or dead")
      ->check(CLI::IsMember({"waiting", "delivered", "dead"}));
  parser.add_option("--session", options.session, "only messages about this session");
  parser.add_option("--limit", options.limit, "at most this many messages")
      ->check(CLI::Range(std::size_t{1}, limit_max));
  parser.add_option("--cursor", options.cursor, "next_cursor of the previous page");
}

int list_deliveries_and_tries(const Common& common, const DeliveriesOptions& options) {
  store::DeliveryFilter filter;
  filter.target = if_given(options.target);
  filter.state = store::delivery_state_from_string(options.state);
  filter.session_id = if_given(options.session);
  filter.limit = options.limit;
  filter.cursor = options.cursor;
  const config::Settings settings = common.settings();
  const store::DeliveryPage page =
      store_of(settings).list_deliveries(filter, webhooks::delivery_targets(settings.webhook));
  if (common.as_json) {
    print(api::to_json(page));
    return exit_code::ok;
  }
  for (const store::DeliveryRecord& record : page.deliveries) print_delivery(record);
  if (!page.next_cursor.empty())
    std::cout << "There are more: add --cursor " << page.next_cursor << "\n";
  return exit_code::ok;
}

struct RetryOptions {
  std::string id;
};

void add_retry_options(CLI::App& parser, RetryOptions& options) {
  parser.add_option("delivery", options.id, "id of the delivery (dlv_...)")->required();
}

int retry_delivery(const Common& common, const RetryOptions& options) {
  using Outcome = store::RetriedDelivery::Outcome;
  const config::Settings settings = common.settings();
  const store::RetriedDelivery retried =
      store_of(settings).retry_delivery(options.id, webhooks::delivery_targets(settings.webhook));
  switch (retried.outcome) {
    case Outcome::not_found:
      return fail("there is no delivery " + options.id, exit_code::not_found);
    case Outcome::delivered:
      return fail("the target has received this message", exit_code::failed);
    case Outcome::no_target:
      return fail("the target of this delivery is not in webhook.targets", exit_code::failed);
    case Outcome::due:
      break;
  }
  if (common.as_json)
    print(api::to_json(*retried.record));
  else
    std::cout << "The message will be sent again by the relay.\n";
  return exit_code::ok;
}

}  // namespace

Command deliveries_command() {
  return command("deliveries", "list messages for each target, with their latest tries",
                 add_deliveries_options, list_deliveries_and_tries);
}

Command retry_command() {
  return command("retry", "send one message to one target again", add_retry_options,
                 retry_delivery);
}

}  // namespace verbatim::app
