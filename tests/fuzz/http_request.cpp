// Any bytes as an HTTP request: the first line is the target, the rest the body, for every reader
// of either. Accepted input must be valid for its next use.
#include <cstdint>

#include "base/ids.hpp"
#include "base/json/view.hpp"
#include "server/api/requests/client_secret.hpp"
#include "server/api/requests/queries.hpp"
#include "server/relay/access/auth.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "session/protocol/provider_dialects.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;
using namespace verbatim::requests;

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    out += '%';
    out += "0123456789ABCDEF"[c >> 4];
    out += "0123456789ABCDEF"[c & 15];
  }
  return out;
}

void check_target(std::string_view target) {
  HttpRequest request;
  if (!parse_target(target, request)) return;
  std::string again = "/" + escaped(request.path.substr(1));
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    again += separator + escaped(name) + "=" + escaped(value);
    separator = '&';
  }
  HttpRequest same;
  demand(parse_target(again, same));
  demand(same.path == request.path && same.query == request.query);
  const auto answer = [](const HttpResponse& refused) {
    demand(refused.status == 400 && !verbatim::json::check(refused.body));
  };
  const auto filter = read_session_filter(request);
  if (!filter) answer(filter.error());
  const auto query = read_transcript_query(request);
  if (!query) answer(query.error());
}

void check_client_secret(std::string_view body) {
  static const config::Settings settings;
  const auto read = read_client_secret_request(body, settings);
  if (!read) {
    demand(read.error().status == 400 && !verbatim::json::check(read.error().body));
    return;
  }
  const ClientSecretRequest& asked = *read;
  demand(asked.session_id.empty() || is_valid_session_id(asked.session_id));
  demand(asked.seconds >= 10 && asked.seconds <= settings.auth.token_ttl_max.count() / 1000);
  // The provider gets it as an event, which the relay's own checks must accept.
  const std::string update = protocol::default_provider_dialect().configure(
      asked.configuration(), "whisper", protocol::SessionType::realtime, "fuzz");
  demand(update.empty() || !protocol::check_client_message(update));
  TokenClaims claims;
  claims.user = asked.user.value_or("");
  claims.model = asked.model();
  claims.metadata_json = asked.metadata.dump();
  const Authenticator authenticator({}, std::string(32, 's'), false);
  const auto minted = authenticator.read_token(authenticator.mint(claims));
  demand(minted && minted->user == claims.user && minted->model == claims.model);
  demand(minted->metadata_json == claims.metadata_json);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(bytes.find('\n'), size);
  check_target(bytes.substr(0, line));
  check_client_secret(bytes.substr(std::min(line + 1, size)));
  return 0;
}
