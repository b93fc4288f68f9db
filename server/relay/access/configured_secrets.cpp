#include "server/relay/access/configured_secrets.hpp"

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "base/lines.hpp"
#include "base/url.hpp"
#include "config/database_url.hpp"
#include "config/otlp_headers.hpp"
#include "server/net/http_message.hpp"

namespace verbatim::access {

namespace {

/// Whether a URL parameter of this name holds a key: some gateways expect their key there.
bool names_secret(std::string_view written) {
  const std::string name = lower_case(written);
  const auto says = [&name](const char* word) { return name.find(word) != std::string::npos; };
  return says("key") || says("token") || says("secret") || says("password");
}

}  // namespace

std::vector<std::string> secrets_of(const config::Upstream& settings) {
  std::vector<std::string> secrets;
  const auto add_credentials = [&secrets](const std::string& pair) {
    secrets.push_back(pair);
    if (const std::size_t colon = pair.find(':'); colon != std::string::npos)
      secrets.push_back(pair.substr(colon + 1));
  };
  const std::string& key = settings.api_key.reveal();
  secrets.push_back(key);
  if (settings.auth == config::UpstreamAuth::basic) {
    std::string pair;
    if (decode_base64(key, pair)) add_credentials(pair);
  }
  if (const auto proxy = parse_address(settings.proxy); proxy && !proxy->user_info.empty())
    add_credentials(proxy->user_info);
  const auto address = parse_address(settings.url);
  if (net::HttpRequest asked; address && net::parse_target(address->target, asked)) {
    for (const auto& [name, value] : asked.query)
      if (names_secret(name)) secrets.push_back(value);
  }
  return secrets;
}

std::vector<std::string> secrets_of(const config::Settings& settings) {
  std::vector<std::string> secrets = secrets_of(settings.upstream);
  secrets.push_back(settings.auth.token_secret.reveal());
  secrets.push_back(settings.auth.internal_service_key.reveal());
  secrets.push_back(settings.repair.key.reveal());
  secrets.push_back(settings.repair.fallback_key.reveal());
  secrets.push_back(settings.bucket.access_key.reveal());
  secrets.push_back(settings.bucket.secret_key.reveal());
  for (const config::WebhookTarget& target : settings.webhook.targets)
    secrets.push_back(target.secret.reveal());
  for (const auto& [name, value] :
       config::parse_otlp_headers(settings.trace.otlp_headers.reveal())) {
    secrets.push_back(value);
    // "Bearer KEY": the key alone is secret, too.
    if (const std::size_t blank = value.rfind(' '); blank != value.npos)
      secrets.push_back(value.substr(blank + 1));
  }
  for (const std::string_view key : lines_of(settings.recording.key.reveal()))
    secrets.emplace_back(key);
  if (!settings.fleet.url.empty()) {
    for (const std::string& secret :
         config::parse_database_url(settings.fleet.url.reveal()).secrets())
      secrets.push_back(secret);
  }
  return secrets;
}

}  // namespace verbatim::access
