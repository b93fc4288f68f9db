// Translates between a client's protocol and the provider's. The session knows only the provider's
// protocol. A client that speaks that protocol has no dialect, and its messages need no second
// pass.
//
// Stateless: one object serves every session on every thread. Untrusted input: a message that is
// not understood stays unchanged, and the session judges it. To add a dialect, write another class
// in session/protocol/clients/ and give it a row in client_dialects.cpp.
#pragma once

#include <string>
#include <vector>

#include "session/protocol/message.hpp"

namespace verbatim::protocol {

class ClientDialect {
 public:
  virtual ~ClientDialect() = default;

  /// Translates a client message, before the session reads it.
  virtual void to_provider(Message& message) const = 0;

  /// Translates a message to the client, from the provider or the relay. False: the dialect has no
  /// counterpart, and the message must be dropped.
  virtual bool to_client(Message& message) const = 0;
};

/// The dialect of a client by its upgrade request; nullptr: it speaks the provider's own.
/// - `subprotocols`: offered in Sec-WebSocket-Protocol.
/// - `beta_features`: named in the header OpenAI-Beta.
const ClientDialect* client_dialect(const std::vector<std::string>& subprotocols,
                                    const std::vector<std::string>& beta_features);

}  // namespace verbatim::protocol
