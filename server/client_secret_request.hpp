// The body of POST /v1/realtime/client_secrets, read and judged: what a token is asked for.
//
// Pure; any thread. Untrusted input: what is wrong with it comes back as the answer to give.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "config/settings.hpp"
#include "server/http.hpp"

namespace verbatim::server {

struct ClientSecretRequest {
  nlohmann::json session = nlohmann::json::object();  ///< as it came
  nlohmann::json metadata = nlohmann::json::object();
  std::optional<std::string> user;
  std::string session_id;  ///< empty: none was named
  std::int64_t seconds = 0;

  std::string model() const;  ///< empty: none was named
  /// For a session.update: without the model, which goes into the URL; empty if nothing is asked.
  std::string configuration() const;
};

std::variant<ClientSecretRequest, HttpResponse> read_client_secret_request(
    std::string_view body, const config::Auth& settings);

}  // namespace verbatim::server
