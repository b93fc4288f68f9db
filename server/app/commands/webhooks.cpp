// verbatim webhooks list, redrive; also while a server runs
#include <iostream>
#include <optional>

#include "base/json/tree.hpp"
#include "base/printable.hpp"
#include "server/app/commands/deliveries.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/commands/offline.hpp"

namespace verbatim::app {

namespace {

struct UndeliveredOptions {
  bool dead_only = false;
};

void add_undelivered_options(CLI::App& parser, UndeliveredOptions& options) {
  parser.add_flag("--dead", options.dead_only,
                  "only dead letters: messages that are not sent again");
}

Json delivery_json(const store::Delivery& one) {
  const store::WebhookMessage& message = one.message;
  return {{"message", message.public_id},
          {"type", store::to_string(message.kind)},
          {"session_id", message.session_id},
          {"attempt", message.attempt},
          {"target", one.target},
          {"state", store::to_string(one.state)},
          {"tries", message.tries},
          {"last_error", message.last_error}};
}

void print_line(const store::Delivery& one) {
  const store::WebhookMessage& message = one.message;
  std::cout << message.public_id << "  " << store::to_string(message.kind) << "  "
            << message.session_id << "  " << one.target << "  " << store::to_string(one.state)
            << "  tries=" << message.tries << "  " << printable(message.last_error) << "\n";
}

int list_undelivered(const Common& common, const UndeliveredOptions& options) {
  const auto found = store_of(common.settings()).undelivered(options.dead_only);
  if (!common.as_json) {
    for (const store::Delivery& one : found) print_line(one);
    return exit_code::ok;
  }
  Json list = Json::array();
  for (const store::Delivery& one : found) list.push_back(delivery_json(one));
  print(list);
  return exit_code::ok;
}

struct RedriveOptions {
  std::string message;
  bool all = false;
};

void add_redrive_options(CLI::App& parser, RedriveOptions& options) {
  auto* which = parser.add_option_group("which");
  which->add_option("message", options.message, "id of one message (msg_...)");
  which->add_flag("--all", options.all, "all dead letters");
  which->require_option(1);
}

int redrive(const Common& common, const RedriveOptions& options) {
  const auto count =
      store_of(common.settings())
          .redrive(options.all ? std::nullopt : std::optional<std::string>(options.message));
  if (common.as_json) {
    print({{"redriven", count}});
  } else {
    std::cout << quantity(static_cast<std::size_t>(count), "dead letter")
              << " will be sent again by the relay.\n";
  }
  return count == 0 && !options.all ? exit_code::not_found : exit_code::ok;
}

}  // namespace

Family webhook_commands() {
  return {"webhooks",
          "list or resend undelivered messages",
          {command("list", "list undelivered messages", add_undelivered_options, list_undelivered),
           command("redrive", "send dead letters again", add_redrive_options, redrive),
           deliveries_command(), retry_command()}};
}

}  // namespace verbatim::app
