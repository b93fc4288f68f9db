// The other nodes of a fleet, as the relay and the API use them: where a session lives, and how a
// client's request reaches the node that runs it. A relay without a fleet has none.
//
// One object for all workers; must outlive them. Failures are values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "server/net/async.hpp"
#include "server/net/http_connection.hpp"
#include "server/net/http_message.hpp"

namespace verbatim::relay {

class MetricsPage;

/// One start of a node: a new process has a new incarnation.
struct Node {
  std::int64_t incarnation = 0;  ///< 0: none
  std::string url;               ///< its fleet.peer_url
};

/// The home of a session.
struct SessionHome {
  enum class Where : std::uint8_t {
    here,       ///< this node runs it, or has made it
    elsewhere,  ///< `node` runs it
    nowhere,    ///< no node runs it: any may begin it
    unknown     ///< it cannot be known now
  };
  Where where = Where::unknown;
  Node node = {};
};

/// Why the home of a session is asked for.
enum class Purpose : std::uint8_t {
  look,  ///< to read or change what is there
  begin  ///< to begin it here: if it is nowhere, this node becomes its home
};

/// The record of a client token that this node does not have.
enum class TokenRecord : std::uint8_t {
  here,     ///< it is in this node's store now
  nowhere,  ///< no node has it
  unknown   ///< the database cannot be asked
};

/// Knows the homes of sessions, and the client tokens of all nodes. Any thread.
class SessionDirectory {
 public:
  virtual ~SessionDirectory() = default;
  /// `done` may be called on any thread, once. Two nodes that begin the same session get the same
  /// home.
  virtual void find(const std::string& session_id, Purpose purpose,
                    std::function<void(SessionHome)> done) = 0;
  /// The node that find() named does not run the session: the next find() must ask again.
  virtual void forget(const std::string& session_id) = 0;
  /// The outcome for a session whose node does not answer.
  enum class Taken : std::uint8_t {
    here,    ///< this node has it now
    moved,   ///< another node has it by now: ask find() again
    held,    ///< its node may still run it, or this node may not decide now: try again soon
    unknown  ///< the database cannot be asked
  };
  /// Takes the session over if that node is gone for certain. `done` may be called on any thread,
  /// once.
  virtual void take(const std::string&, const Node&, std::function<void(Taken)> done) {
    done(Taken::unknown);
  }
  /// Brings the record of a token that another node has made into this node's store. `done` may be
  /// called on any thread, once.
  virtual void bring_token(const std::string&, std::function<void(TokenRecord)> done) {
    done(TokenRecord::nowhere);
  }
  /// Revokes a token for all nodes. `done`: `here` if there is such a token.
  virtual void revoke_token(const std::string&, TimeMs, std::function<void(TokenRecord)> done) {
    done(TokenRecord::nowhere);
  }
  /// This node's incarnation; 0: it has none yet, and answers no other node.
  virtual std::int64_t incarnation() const = 0;
};

/// The status of a node that does not run the session (any more). It never reaches a client.
inline constexpr int misdirected = 421;
inline net::HttpResponse misdirected_answer() {
  net::HttpResponse response;
  response.status = misdirected;
  return response;
}

struct PeerGauges {
  std::size_t carried = 0;  ///< WebSockets and long answers that pass now
  std::uint64_t websockets = 0;
  std::uint64_t answers = 0;
  std::uint64_t unreachable = 0;
  std::uint64_t strangers = 0;
};

/// The answer of another node.
struct Asked {
  net::HttpResponse response;
  bool reached = true;  ///< false: the node gave none, and `response` says so
};

/// The outcome of an upgrade that was to be passed on.
struct Carried {
  std::optional<net::HttpService::Refused> refused;
  /// The session's node is gone, and this node has the session now: begin here with these.
  struct Here {
    net::HttpRequest request;
    net::Transport client;
  };
  std::optional<Here> here;
};

class Peers {
 public:
  virtual ~Peers() = default;

  virtual net::Awaitable<SessionHome> home_of(net::Executor executor, std::string session_id,
                                              Purpose purpose) = 0;

  /// Passes an upgrade on to the session's node, and copies the bytes of the WebSocket both ways
  /// until it ends. A refusal of that node is passed on as it is. If the node does not answer, this
  /// node takes the session over as soon as it may; 503 if that takes too long.
  /// `upgraded`: called once the client has the node's 101.
  virtual net::Awaitable<Carried> carry(net::HttpRequest request, net::Transport client,
                                        std::string session_id, Node node,
                                        std::function<void()> upgraded) = 0;

  /// The answer of the session's node to a request.
  virtual net::Awaitable<Asked> ask(net::Executor executor, net::HttpRequest request,
                                    std::string session_id, Node node) = 0;

  /// SessionDirectory::bring_token() and revoke_token().
  virtual net::Awaitable<TokenRecord> bring_token(net::Executor executor, std::string id) = 0;
  virtual net::Awaitable<TokenRecord> revoke_token(net::Executor executor, std::string id,
                                                   TimeMs at) = 0;

  /// Recognises a request that another node passes on: restores its path and its client, and sets
  /// HttpRequest::peer_session. A request from any other sender stays as it is, so no route matches
  /// it.
  virtual void recognise(net::HttpRequest& request) const = 0;
  /// Whether a request that recognise() left as it is comes from another node, which believes that
  /// this process is an earlier one, or another node.
  virtual bool is_misdirected(const net::HttpRequest& request) const = 0;

  /// Any thread.
  virtual PeerGauges gauges() const = 0;
};

/// Adds the metrics of requests that pass between nodes. `peers`: null: this relay is alone.
void add_peer_metrics(MetricsPage& page, const Peers* peers);

}  // namespace verbatim::relay
