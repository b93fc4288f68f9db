// The signature of Standard Webhooks: HMAC-SHA256 over "id.timestamp.body".
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace verbatim::server {

/// The value of `webhook-signature`: one `v1,...` for each of the secrets (`whsec_BASE64`,
/// separated by white space), so that a receiver may know the old or the new one while they are
/// changed.
std::string webhook_signature(std::string_view secrets, std::string_view id,
                              std::int64_t timestamp_s, std::string_view body);

}  // namespace verbatim::server
