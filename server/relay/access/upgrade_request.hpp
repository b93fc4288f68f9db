// An upgrade request to /v1/realtime, examined: who asks, and for which conversation.
//
// Pure but for the randomness of a new session's id; any thread. Untrusted input: what is wrong
// with it comes back as the answer to give.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/net/http_message.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/access/origin.hpp"
#include "session/protocol/dialect.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::server {

/// What the request asks for, once it is found to be in order.
struct RealtimeCall {
  std::string session_id;
  std::string user;
  bool by_token = false;  ///< the user is the one that a client token names
  std::string metadata_json = "{}";
  std::string model;
  std::optional<TokenClaims> token;  ///< the client's
  std::string credential_id;         ///< Principal::credential_id()
  bool token_expired = false;        ///< it may come back to what the token has opened
  bool transcription = false;        ///< what is said is only written down
  bool extension_events = false;
  bool binary_audio = false;                  ///< audio comes and goes as binary frames
  std::optional<std::uint64_t> after;         ///< has received so many messages of this attempt
  std::string protocol;                       ///< to select; empty: none
  const session::Dialect* dialect = nullptr;  ///< null: the provider's own
};

std::variant<RealtimeCall, HttpResponse> examine_upgrade(const HttpRequest& request,
                                                         const Authenticator& authenticator,
                                                         const OriginRules& origins, TimeMs now);

}  // namespace verbatim::server
