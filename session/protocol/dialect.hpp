// What a client speaks where that is not what the provider speaks: the translation both ways, apart
// from the session, which knows the provider's words only. A client that speaks those has no
// dialect, and none of its messages is looked at a second time.
//
// Pure and without state: one object serves every session on every thread. Untrusted input: what
// is not understood stays as it came, for the session to judge. Another dialect is another class,
// and a line in server/relay/access/upgrade_request that recognises its clients.
#pragma once

#include "session/protocol/message.hpp"

namespace verbatim::session {

class Dialect {
 public:
  virtual ~Dialect() = default;

  /// What the client said, before the session looks at it.
  virtual void to_provider(Message& message) const = 0;

  /// What goes to the client, the provider's words and the relay's own. False: the dialect has no
  /// words for it, and the client gets nothing.
  virtual bool to_client(Message& message) const = 0;
};

/// The provider's protocol as it was before general availability. docs/dialects.md has the whole
/// of it.
const Dialect& beta_dialect();

}  // namespace verbatim::session
