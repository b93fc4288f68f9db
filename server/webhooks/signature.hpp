// The signature of Standard Webhooks: HMAC-SHA256 over "id.timestamp.body".
//
// Pure; any thread. Source: https://www.standardwebhooks.com.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace verbatim::webhooks {

/// The value of `webhook-signature`: one `v1,...` for each secret, so that a receiver may know the
/// old or the new secret during a change.
/// `secrets`: `whsec_BASE64`, separated by white space.
/// `id`: the message's id.
/// `timestamp_s`: Unix time in seconds.
/// `body`: the body as sent.
std::string webhook_signature(std::string_view secrets, std::string_view id,
                              std::int64_t timestamp_s, std::string_view body);

}  // namespace verbatim::webhooks
