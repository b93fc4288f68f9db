// verbatim sessions end, and verbatim retention show, run: through the running relay, which alone
// has the live conversations.
#include <iostream>

#include "base/json/tree.hpp"
#include "base/url.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/relay_client.hpp"

namespace verbatim::app {

namespace {

struct EndOptions {
  std::string id;
  std::string reason;
  RelayOptions relay;
};

void add_end_options(CLI::App& parser, EndOptions& options) {
  add_session_id(parser, options.id);
  parser.add_option("--reason", options.reason, "for the log and the client");
  add_relay_options(parser, options.relay);
}

int end_session(const Common& common, const EndOptions& options) {
  const RelayClient relay(common.settings(), options.relay);
  Json body = Json::object();
  if (!options.reason.empty()) body["reason"] = options.reason;
  const RelayAnswer answer =
      relay.call("POST", "/v1/sessions/" + percent_encoded(options.id) + "/end", body.dump());
  if (answer.status != 200) return fail(relay, answer);
  const Json session = Json::parse(answer.body);
  if (common.as_json) {
    print(session);
  } else {
    std::cout << session["id"].get<std::string>()
              << " has ended: " << session["close_reason"].get<std::string>() << ", "
              << session["turns"] << " turns\n";
  }
  return exit_code::ok;
}

struct RetentionOptions {
  std::string older_than;
  bool dry_run = false;
  RelayOptions relay;
};

void add_retention_options(CLI::App& parser, RetentionOptions& options) {
  parser.add_option("--older-than", options.older_than,
                    "age since the end, such as 12h or 30d; default: storage.retention");
  parser.add_flag("--dry-run", options.dry_run, "count the sessions, and erase none");
  add_relay_options(parser, options.relay);
}

Json retention_request(const RetentionOptions& options) {
  Json body{{"dry_run", options.dry_run}};
  if (!options.older_than.empty()) body["older_than"] = options.older_than;
  return body;
}

void print_due(const Json& answer) {
  const std::string count =
      (answer["due_is_exact"] ? "" : "more than ") + answer["due"].dump() + " sessions";
  if (answer["older_than"].is_null())
    std::cout << "storage.retention is 0s: sessions are kept for ever.\n";
  else
    std::cout << count << " ended longer ago than " << answer["older_than"].get<std::string>()
              << ".\n";
}

int run_retention(const Common& common, const RetentionOptions& options) {
  const RelayClient relay(common.settings(), options.relay);
  std::size_t erased = 0;
  Json last;
  do {
    const RelayAnswer answer =
        relay.call("POST", "/v1/retention", retention_request(options).dump());
    if (answer.status != 200) return fail(relay, answer);
    last = Json::parse(answer.body);
    if (options.dry_run) {
      common.as_json ? print(last) : print_due(last);
      return exit_code::ok;
    }
    erased += last["erased"].get<std::size_t>();
  } while (last["more"] == true);
  if (common.as_json)
    print({{"older_than", last["older_than"]}, {"erased", erased}, {"left", last["left"]}});
  else
    std::cout << erased << " sessions erased that ended longer ago than "
              << last["older_than"].get<std::string>() << ".\n";
  if (last["left"].empty()) return exit_code::ok;
  if (common.as_json) return exit_code::failed;
  return fail(std::to_string(last["left"].size()) +
                  " sessions cannot be erased now; their connections are closing, or captured or "
                  "recorded files cannot be removed. Run the command again, or see the log",
              exit_code::failed);
}

int show_retention(const Common& common, const RelayOptions& options) {
  const RelayClient relay(common.settings(), options);
  const RelayAnswer answer = relay.call("GET", "/v1/retention");
  if (answer.status != 200) return fail(relay, answer);
  const Json shown = Json::parse(answer.body);
  common.as_json ? print(shown) : print_due(shown);
  return exit_code::ok;
}

}  // namespace

Command session_end_command() {
  return command("end", "end a live or waiting session at a running relay", add_end_options,
                 end_session);
}

Family retention_commands() {
  return {
      "retention",
      "show or apply the retention at a running relay",
      {command("show", "show how many sessions are due", add_relay_options, show_retention),
       command("run", "erase sessions that ended long ago", add_retention_options, run_retention)}};
}

}  // namespace verbatim::app
