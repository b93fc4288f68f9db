// Reads and checks the bodies of POST /v1/realtime/client_secrets and of its beta form, POST
// /v1/realtime/sessions: requests for a token.
//
// Pure; any thread. Untrusted input: a wrong one is refused with the response to send.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/net/result.hpp"

namespace verbatim::requests {

struct ClientSecretRequest {
  Json session = Json::object();  ///< as it came
  Json metadata = Json::object();
  Json private_metadata = Json::object();  ///< that only back ends read
  std::optional<std::string> user;
  std::string session_id;  ///< empty: none was named
  std::int64_t seconds = 0;
  std::string instructions;  ///< made of a template; empty: none was named
  std::string terms;         ///< policy and limits, as JSON; empty: none were named

  /// Whether the store must keep data for the token.
  bool stands_for_something() const {
    return !session.empty() || !instructions.empty() || !terms.empty() || !private_metadata.empty();
  }
  std::string model() const;  ///< empty: none was named
  /// For a session.update: with the template's instructions, without the model, which goes into the
  /// URL; empty if nothing is asked.
  std::string configuration() const;
};

net::Result<ClientSecretRequest> read_client_secret_request(std::string_view body,
                                                            const config::Settings& settings);

/// The beta form: the body is the session, flat, with `client_secret.expires_after` and `verbatim`
/// in it. The result is in GA's shape.
net::Result<ClientSecretRequest> read_beta_session_request(std::string_view body,
                                                           const config::Settings& settings);

}  // namespace verbatim::requests
