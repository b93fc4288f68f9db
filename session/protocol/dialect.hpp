// Translates between a client's protocol and the provider's. The session knows only the provider's
// protocol. A client that speaks that protocol has no dialect, and its messages need no second
// pass.
//
// Stateless: one object serves every session on every thread. Untrusted input: a message that is
// not understood stays unchanged, and the session judges it. To add a dialect, write another class
// and recognise its clients in server/relay/access/upgrade_request.
#pragma once

#include "session/protocol/message.hpp"

namespace verbatim::session {

class Dialect {
 public:
  virtual ~Dialect() = default;

  /// Translates a client message, before the session reads it.
  virtual void to_provider(Message& message) const = 0;

  /// Translates a message to the client, from the provider or the relay. False: the dialect has no
  /// counterpart, and the message must be dropped.
  virtual bool to_client(Message& message) const = 0;
};

/// The provider's beta protocol, from before general availability (GA). docs/dialects.md describes
/// it.
const Dialect& beta_dialect();

}  // namespace verbatim::session
