// verbatim repair: a second transcription of recorded speech, through the running relay.
#include <iostream>
#include <stdexcept>

#include "base/json/tree.hpp"
#include "base/url.hpp"
#include "server/api/requests/queries.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/relay_client.hpp"

namespace verbatim::app {

namespace {

constexpr int accepted = 202;
constexpr int conflict = 409;

struct RepairOptions {
  std::string id;
  std::string since;
  RelayOptions relay;
};

void add_repair_options(CLI::App& parser, RepairOptions& options) {
  auto* const id = parser.add_option("id", options.id, "session id")->check(not_empty());
  parser
      .add_option("--since", options.since,
                  "all sessions that were made since then, such as 2026-11-23T21:50:51Z")
      ->check(checked_by([](const std::string& text) {
        if (!requests::parse_time(text))
          throw std::invalid_argument("a time such as 2026-11-23 or 2026-11-23T21:50:51Z");
      }))
      ->excludes(id);
  add_relay_options(parser, options.relay);
}

std::string path_of(const std::string& id) {
  return "/v1/sessions/" + percent_encoded(id) + "/repair";
}

void print_queued(const Json& answer) {
  std::cout << answer["id"].get<std::string>() << "  utterances=" << answer["queued"].size()
            << "\n";
}

int repair_one(const Common& common, const RelayClient& relay, const std::string& id) {
  const RelayAnswer answer = relay.call("POST", path_of(id));
  if (answer.status != accepted) return fail(relay, answer);
  const Json queued = Json::parse(answer.body);
  common.as_json ? print(queued) : print_queued(queued);
  return exit_code::ok;
}

/// Whether the session can have audio: a call for each of the others would be refused.
bool has_recording(const Json& session) {
  const std::string state = session["recording"].value("state", "none");
  return state == "kept" || state == "stopped";
}

int repair_since(const Common& common, const RelayClient& relay, const std::string& since) {
  Json all = Json::array();
  std::string cursor;
  do {
    const RelayAnswer page =
        relay.call("GET", "/v1/sessions?limit=500&since=" + percent_encoded(since) +
                              (cursor.empty() ? "" : "&cursor=" + percent_encoded(cursor)));
    if (page.status != 200) return fail(relay, page);
    const Json listed = Json::parse(page.body);
    for (const Json& session : listed["sessions"]) {
      if (!has_recording(session)) continue;
      const RelayAnswer answer = relay.call("POST", path_of(session["id"].get<std::string>()));
      // Erased, expired or begun again since the list was made.
      if (answer.status == 404) continue;
      if (answer.status == conflict && Json::parse(answer.body)["title"] != "repair is off")
        continue;
      if (answer.status != accepted) return fail(relay, answer);
      Json queued = Json::parse(answer.body);
      if (queued["queued"].empty()) continue;
      if (!common.as_json) print_queued(queued);
      all.push_back(std::move(queued));
    }
    cursor = listed["next_cursor"].is_string() ? listed["next_cursor"].get<std::string>()
                                               : std::string();
  } while (!cursor.empty());
  if (common.as_json)
    print({{"sessions", std::move(all)}});
  else
    std::cout << all.size() << " sessions queued\n";
  return exit_code::ok;
}

int repair(const Common& common, const RepairOptions& options) {
  if (options.id.empty() && options.since.empty())
    return fail("name a session, or use --since", exit_code::bad_usage);
  const RelayClient relay(common.settings(), options.relay);
  return options.id.empty() ? repair_since(common, relay, options.since)
                            : repair_one(common, relay, options.id);
}

}  // namespace

Family repair_commands() {
  return {"",
          "",
          {command("repair", "transcribe recorded speech again, at a running relay",
                   add_repair_options, repair)}};
}

}  // namespace verbatim::app
