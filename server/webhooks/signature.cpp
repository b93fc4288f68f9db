#include "server/webhooks/signature.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/crypto.hpp"

namespace verbatim::webhooks {

namespace {

/// A secret without `whsec_` and base64 is used as it is.
std::string key_of(std::string_view secret) {
  constexpr std::string_view prefix = "whsec_";
  if (!secret.starts_with(prefix)) return std::string(secret);
  std::string encoded(secret.substr(prefix.size()));
  encoded.erase(std::find(encoded.begin(), encoded.end(), '='), encoded.end());
  std::replace(encoded.begin(), encoded.end(), '+', '-');
  std::replace(encoded.begin(), encoded.end(), '/', '_');
  return from_base64url(encoded).value_or(std::string(secret));
}

}  // namespace

std::string webhook_signature(std::string_view secrets, std::string_view id,
                              std::int64_t timestamp_s, std::string_view body) {
  std::string signed_text(id);
  signed_text += '.' + std::to_string(timestamp_s) + '.';
  signed_text += body;
  std::string signatures;
  constexpr std::string_view space = " \t\r\n";
  while (true) {
    secrets.remove_prefix(std::min(secrets.find_first_not_of(space), secrets.size()));
    if (secrets.empty()) return signatures;
    const auto end = std::min(secrets.find_first_of(space), secrets.size());
    if (!signatures.empty()) signatures += ' ';
    signatures += "v1," + base64(hmac_sha256(key_of(secrets.substr(0, end)), signed_text));
    secrets.remove_prefix(end);
  }
}

}  // namespace verbatim::webhooks
