// Refuses a WebSocket: says why in the log and to the client. A page cannot read the HTTP answer to
// its upgrade. A client that offers the subprotocol verbatim.v1 gets 101 instead, an `error` event,
// and a close with a fitting code: one write, as for an HTTP answer.
//
// On the connection's thread.
#pragma once

#include <chrono>
#include <string>

#include "base/log.hpp"
#include "server/net/async.hpp"
#include "server/net/http_message.hpp"
#include "server/net/transport.hpp"

namespace verbatim::net {

/// The parts of an upgrade request that its refusal needs.
struct AskedUpgrade {
  explicit AskedUpgrade(const HttpRequest& request);

  std::string path;
  std::string remote;
  std::string id;
  std::string key;       ///< Sec-WebSocket-Key
  std::string protocol;  ///< subprotocol to select; empty: the answer is an HTTP one
};

/// The close code for a refusal with this HTTP status and error code.
std::uint16_t refusal_close_code(int status, std::string_view code);

/// Logs why the upgrade was refused.
void log_refused_upgrade(const HttpResponse& refusal, const std::string& remote,
                         const std::string& id, Log& log);

/// Logs, writes and closes. `patience`: longest time for the write.
Awaitable<void> refuse_upgrade(Transport transport, HttpResponse refusal, const AskedUpgrade& asked,
                               std::chrono::milliseconds patience, Log& log);

}  // namespace verbatim::net
