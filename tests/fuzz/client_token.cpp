// Client tokens: any string as a credential; any bytes with a correct signature; and a token minted
// from the bytes. The minted token reads back as minted, and is invalid with one character changed.
#include <fuzzer/FuzzedDataProvider.h>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "base/json/tree.hpp"
#include "server/relay/access/auth.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;

namespace {

const std::string secret(32, 's');
const Authenticator authenticator({}, secret, false);

bool admitted(const std::string& credential, const char* header, const char* before) {
  HttpRequest request;
  request.headers.emplace_back(header, before + credential);
  const auto result = authenticator.authenticate(request, 1);
  return result && !result->expired;
}

bool admitted(const std::string& credential) {
  return admitted(credential, "Authorization", "Bearer ") ||
         admitted(credential, "Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.");
}

void check_round(const TokenClaims& claims, const std::string& token) {
  const auto read = authenticator.read_token(token);
  demand(read && read->id == claims.id && read->user == claims.user);
  demand(read->session_id == claims.session_id && read->session_open == claims.session_open);
  demand(read->configured == claims.configured && read->content_key == claims.content_key);
  demand(read->model == claims.model && read->expires_at_s == claims.expires_at_s);
  demand(read->metadata_json == claims.metadata_json);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider bytes(data, size);
  const std::uint8_t way = bytes.ConsumeIntegral<std::uint8_t>() % 3;
  if (way == 0) {
    const std::string any = bytes.ConsumeRemainingBytesAsString();
    demand(!admitted(any) && !admitted("ek_" + any));
    return 0;
  }
  if (way == 1) {
    const std::string body = base64url(bytes.ConsumeRemainingBytesAsString());
    const auto claims =
        authenticator.read_token("ek_" + body + "." + base64url(hmac_sha256(secret, body)));
    if (claims) check_round(*claims, authenticator.mint(*claims));
    return 0;
  }
  const auto character = bytes.ConsumeIntegral<std::size_t>();
  const char replaced = "A-_.z0= \n"[bytes.ConsumeIntegralInRange(0, 8)];
  TokenClaims claims;
  claims.expires_at_s = bytes.ConsumeIntegral<std::int64_t>();
  claims.session_open = bytes.ConsumeBool();
  claims.configured = bytes.ConsumeBool();
  if (claims.configured) claims.content_key = bytes.ConsumeRandomLengthString(32);
  // Ids come out of JSON, so they are UTF-8; here only bytes that surely are.
  for (std::string* text : {&claims.id, &claims.user, &claims.session_id, &claims.model}) {
    *text = bytes.ConsumeRandomLengthString(40);
    for (char& byte : *text) byte &= 0x7F;
  }
  const auto metadata = Json::parse(bytes.ConsumeRemainingBytesAsString(), nullptr, false);
  if (metadata.is_object()) claims.metadata_json = metadata.dump();
  std::string token = authenticator.mint(claims);
  check_round(claims, token);
  demand(admitted(token) == (claims.expires_at_s > 1));
  char& changed = token[character % token.size()];
  if (changed == replaced) return 0;
  changed = replaced;
  demand(!authenticator.read_token(token) && !admitted(token));
  return 0;
}
