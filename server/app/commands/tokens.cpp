// verbatim tokens list, revoke: through the running relay, since a revoked token's connections end
// there.
#include <iostream>

#include "base/json/tree.hpp"
#include "base/printable.hpp"
#include "base/url.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/relay_client.hpp"

namespace verbatim::app {

namespace {

struct TokenListOptions {
  std::string user;
  std::string session;
  std::size_t limit = 50;
  RelayOptions relay;
};

void add_token_list_options(CLI::App& parser, TokenListOptions& options) {
  parser.add_option("--user", options.user, "tokens of this user only");
  parser.add_option("--session", options.session, "tokens of this session only");
  parser.add_option("--limit", options.limit, "at most this many tokens")
      ->check(CLI::Range(1, 500));
  add_relay_options(parser, options.relay);
}

int list_tokens(const Common& common, const TokenListOptions& options) {
  const RelayClient relay(common.settings(), options.relay);
  std::string path = "/v1/client_secrets?limit=" + std::to_string(options.limit);
  if (!options.user.empty()) path += "&user=" + percent_encoded(options.user);
  if (!options.session.empty()) path += "&session=" + percent_encoded(options.session);
  const RelayAnswer answer = relay.call("GET", path);
  if (answer.status != 200) return fail(relay, answer);
  const Json page = Json::parse(answer.body);
  if (common.as_json) {
    print(page);
    return exit_code::ok;
  }
  for (const Json& one : page["client_secrets"]) {
    const auto text = [&one](const char* name) {
      return one[name].is_string() ? one[name].get<std::string>() : std::string("-");
    };
    std::cout << text("id") << "  expires=" << one["expires_at"].dump()
              << "  session=" << text("session_id") << "  user=" << printable(text("user")) << "\n";
  }
  if (page["next_cursor"].is_string()) std::cerr << "There are more; raise --limit.\n";
  return exit_code::ok;
}

struct RevokeOptions {
  std::string id;
  RelayOptions relay;
};

void add_revoke_options(CLI::App& parser, RevokeOptions& options) {
  parser.add_option("id", options.id, "token id (cs_...)")->required();
  add_relay_options(parser, options.relay);
}

int revoke_token(const Common& common, const RevokeOptions& options) {
  const RelayClient relay(common.settings(), options.relay);
  const RelayAnswer answer =
      relay.call("DELETE", "/v1/client_secrets/" + percent_encoded(options.id));
  if (answer.status != 204) return fail(relay, answer);
  if (common.as_json)
    print({{"id", options.id}, {"revoked", true}});
  else
    std::cout << options.id << " is revoked; its connections end.\n";
  return exit_code::ok;
}

}  // namespace

Family token_commands() {
  return {"tokens",
          "list or revoke client tokens at a running relay",
          {command("list", "list tokens that are still good", add_token_list_options, list_tokens),
           command("revoke", "revoke one token and end its connections", add_revoke_options,
                   revoke_token)}};
}

}  // namespace verbatim::app
