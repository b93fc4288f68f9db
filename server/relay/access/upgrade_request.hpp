// Validates an upgrade request to /v1/realtime and reads the caller and the wanted conversation.
//
// Pure, except for the random id of a new session; any thread. The input is untrusted: an error
// comes back as the response to send.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "server/net/http_message.hpp"
#include "server/net/result.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/access/origin.hpp"
#include "session/protocol/client_dialect.hpp"

namespace verbatim::access {

/// The content of a valid request.
struct RealtimeCall {
  std::string session_id;
  bool names_session = false;  ///< the id is not a new one
  std::string user;
  bool by_token = false;  ///< a client token names the user
  std::string metadata_json = "{}";
  std::string model;
  std::optional<TokenClaims> token;  ///< of the client, if it sent one
  std::string credential_id;         ///< Principal::credential_id()
  bool token_expired = false;        ///< it may only resume sessions that the token has opened
  bool transcription = false;  ///< a transcription session: speech is transcribed, not answered
  bool extension_events = false;
  bool binary_audio = false;  ///< audio is sent and received as binary frames
  std::optional<std::uint64_t>
      after;                ///< number of messages of this attempt that the client has received
  std::string protocol;     ///< subprotocol to select; empty: none
  std::string traceparent;  ///< header of the request, if conversations are watched
  Moment requested_at;
  const protocol::ClientDialect* dialect = nullptr;  ///< null: the provider's own dialect
};

net::Result<RealtimeCall> examine_upgrade(const net::HttpRequest& request,
                                          const Authenticator& authenticator,
                                          const OriginRules& origins, TimeMs now);

}  // namespace verbatim::access
