// GET /v1/realtime, from the upgrade request to the end of the session. Checks the credentials and
// the request, opens the attempt in the journal (no call without a record), answers 101, and runs
// the conversation.
//
// One object for all workers; a reload replaces what it reads. A refusal is the response to send.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/net/descriptors.hpp"
#include "server/net/http_connection.hpp"
#include "server/net/large_messages.hpp"
#include "server/net/request_counts.hpp"
#include "server/relay/access/admission.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "server/relay/access/revocations.hpp"
#include "server/relay/access/upgrade_request.hpp"
#include "server/relay/journal_shares.hpp"
#include "server/relay/observer.hpp"
#include "server/relay/peers.hpp"
#include "server/relay/recordings.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/relay/suspended_sessions.hpp"
#include "server/relay/tap.hpp"
#include "server/relay/upstream.hpp"
#include "session/transcript/journal.hpp"
#include "storage/store/admission_store.hpp"

namespace verbatim::relay {

struct RealtimeParts {
  const config::LiveSettings& settings;
  const Reloadable<const access::Authenticator>& authenticator;
  const Upstream& upstream;
  store::AdmissionStore& store;
  transcript::Journal& journal;
  const StorageWatch& storage;
  Registry& registry;
  const access::Revocations& revocations;
  SuspendedSessions& suspended;
  access::AdmissionControl& admission_control;
  JournalShares& journal_shares;
  net::Descriptors& descriptors;
  net::LargeMessages& large_messages;
  net::RequestCounts& requests;
  const access::IdGuard& ids;
  TapSources taps;            ///< listen to every conversation; null: not configured
  Recordings* recordings;     ///< null: no conversation is recorded
  ObserverSource* observers;  ///< watch every conversation; null: not configured
  Peers* peers;               ///< the other nodes of the fleet; null: this relay is alone
  Log& log;
};

class RealtimeEndpoint {
 public:
  explicit RealtimeEndpoint(RealtimeParts parts)
      : parts_(parts),
        origins_(std::make_shared<const access::OriginRules>(parts.settings.get()->server)),
        secrets_(parts.upstream.secrets()) {}

  /// Takes over the settings that it keeps in another form. Any thread.
  void reload() {
    origins_.set(std::make_shared<const access::OriginRules>(parts_.settings.get()->server));
  }

  net::Awaitable<std::optional<net::HttpService::Refused>> upgrade(net::HttpRequest request,
                                                                   net::Transport transport,
                                                                   Worker& worker) const;

 private:
  template <class T>
  using Step = net::Awaitable<access::AdmissionResult<T>>;
  using Token = store::ClientToken;
  /// A valid request, and the stored content of its client token (empty without a token).
  struct Examined {
    access::RealtimeCall call;
    Token token;
    std::optional<Node> elsewhere = std::nullopt;  ///< the node that runs the session
  };
  /// A new session, or a running one to join.
  enum class Admitted { begins, joins };
  /// The parts of limits that a conversation holds until its end.
  struct Permits {
    net::Descriptors::Lease descriptors;
    access::AdmissionControl::Permit user;
  };
  /// A conversation that is new, or that the previous process has suspended.
  struct Begun {
    store::OpenedAttempt opened;
    std::optional<store::ResumedAttempt> taken;
  };

  // The steps of an upgrade, in order.
  Step<Examined> examine(const net::HttpRequest& request, Worker& worker) const;
  net::Awaitable<store::StoreResult<store::TokenStanding>> judge(store::TokenUse use,
                                                                 Worker& worker) const;
  net::Awaitable<bool> is_known_here(const access::RealtimeCall& call, Worker& worker) const;
  Step<std::optional<Node>> node_of(const access::RealtimeCall& call,
                                    const net::HttpRequest& request, Worker& worker) const;
  net::Awaitable<Carried> carry(Examined examined, net::HttpRequest request,
                                net::Transport transport, Worker& worker) const;
  Step<Admitted> admit_session(const access::RealtimeCall& call, Worker& worker) const;
  Step<Permits> take_permits(const access::RealtimeCall& call, Worker& worker) const;
  Step<Begun> begin(const access::RealtimeCall& call, const Token& token, Worker& worker) const;
  net::Awaitable<void> run_conversation(Examined& examined, Begun begun,
                                        std::shared_ptr<access::UserAccount> account,
                                        net::HttpRequest request, net::Transport transport,
                                        Worker& worker) const;
  /// Gives the client's new connection to the running session.
  net::Awaitable<void> join(const access::RealtimeCall& call, const net::HttpRequest& request,
                            net::Transport transport, Worker& worker) const;

  net::Awaitable<std::unique_ptr<net::Peer>> accept(const access::RealtimeCall& call,
                                                    const net::HttpRequest& request,
                                                    net::Transport transport, Worker& worker) const;
  std::optional<net::HttpResponse> refuse_secrets(const access::RealtimeCall& call) const;
  /// Refused if the token may not open the session.
  Step<Token> token_of(const access::RealtimeCall& call, Worker& worker) const;
  /// Stores that a token for any session of its user is used for this one. Returns false if the
  /// store cannot write it.
  net::Awaitable<bool> note_use(const access::RealtimeCall& call, Worker& worker) const;
  /// Not a coroutine: its temporaries would stay in memory as long as the conversation.
  std::unique_ptr<SessionDriver> driver_for(const access::RealtimeCall& call, Begun begun,
                                            Token token,
                                            std::shared_ptr<access::UserAccount> account,
                                            std::unique_ptr<net::Peer> client,
                                            Worker& worker) const;
  net::Awaitable<void> converse(const access::RealtimeCall& call,
                                std::unique_ptr<SessionDriver> driver, Worker& worker) const;
  void report_end(const access::RealtimeCall& call, const SessionDriver& driver,
                  Worker& worker) const;

  RealtimeParts parts_;
  Reloadable<const access::OriginRules> origins_;
  std::shared_ptr<const protocol::SecretFilter>
      secrets_;  ///< to remove from the provider's messages
};

}  // namespace verbatim::relay
