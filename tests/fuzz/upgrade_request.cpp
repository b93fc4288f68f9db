// Any target and headers (one a line, `Name: value`) as an upgrade request. A request without a
// valid token is never accepted, and an accepted one is valid. A line's TOKEN stands for a valid
// token.
#include <algorithm>
#include <cstdint>

#include "base/ids.hpp"
#include "base/json/view.hpp"
#include "server/relay/access/upgrade_request.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;

namespace {

constexpr TimeMs present = 1'795'470'651'000;
const Authenticator authenticator({}, std::string(32, 's'), false);

std::string token() {
  TokenClaims claims;
  claims.user = "ann";
  claims.session_id = "sess_1";
  claims.expires_at_s = present / 1000 + 1;
  return authenticator.mint(claims);
}

/// An origin has several spellings: scheme and host may be in upper case (RFC 3986, 6.2.2.1), and
/// the scheme's default port may be given (6.2.3). Clients other than browsers send them.
std::string plain(std::string_view origin) {
  std::string out;
  for (const char c : origin) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const std::string_view port = out.starts_with("https:") ? ":443" : ":80";
  if (out.ends_with(port)) out.resize(out.size() - port.size());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string minted = token();
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto next_line = [&bytes] {
    const auto line = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
    return line;
  };
  HttpRequest request;
  request.method = "GET";
  if (!parse_target(next_line(), request)) return 0;
  bool has_token = false;
  while (!bytes.empty()) {
    const std::string_view line = next_line();
    const std::size_t colon = line.find(": ");
    if (colon == line.npos) continue;
    std::string value(line.substr(colon + 2));
    if (const std::size_t at = value.find("TOKEN"); at != value.npos) {
      value.replace(at, 5, minted);
      has_token = true;
    }
    request.headers.emplace_back(line.substr(0, colon), std::move(value));
  }
  const auto examined =
      examine_upgrade(request, authenticator, OriginRules({"https://a.test"}, ""), present);
  if (!examined) {
    const HttpResponse& refused = examined.error();
    demand(refused.status >= 400 && refused.status < 500);
    demand(!verbatim::json::check(refused.body));
    return 0;
  }
  const RealtimeCall& call = *examined;
  demand(has_token && call.user == "ann" && call.session_id == "sess_1");
  demand(call.protocol.empty() || call.protocol == "realtime" || call.protocol == "verbatim.v1");
  const std::string_view key = request.header("Sec-WebSocket-Key");
  demand(key.size() == 24 && key.ends_with("==") && key.find_first_of("-_ \t") == key.npos);
  // A page cannot set a header: the origin matters if the credential is elsewhere.
  const std::string_view origin = request.header("Origin");
  const bool in_header = request.header("Authorization").size() + request.header("api-key").size();
  // A listed page, or one of our own: it came from the host that the request is for.
  const std::string own = "http://" + std::string(request.header("Host"));
  demand(in_header || origin.empty() || plain(origin) == "https://a.test" ||
         plain(origin) == plain(own));
  return 0;
}
