// GET /v1/realtime, from the upgrade request to the end of the session. Checks the credentials and
// the request, opens the attempt in the journal (no call without a record), answers 101, and runs
// the conversation.
//
// One object for all workers; immutable after construction. A refusal is the response to send.
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
#include "server/relay/access/admission.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "server/relay/access/revocations.hpp"
#include "server/relay/access/upgrade_request.hpp"
#include "server/relay/journal_shares.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/relay/suspended_sessions.hpp"
#include "server/relay/tap.hpp"
#include "server/relay/upstream.hpp"
#include "session/transcript/journal.hpp"
#include "storage/store/admission_store.hpp"

namespace verbatim::server {

struct RealtimeParts {
  const config::Settings& settings;
  const Reloadable<const Authenticator>& authenticator;
  const Upstream& upstream;
  storage::AdmissionStore& store;
  session::Journal& journal;
  const StorageWatch& storage;
  Registry& registry;
  const Revocations& revocations;
  SuspendedSessions& suspended;
  AdmissionControl& admission_control;
  JournalShares& journal_shares;
  Descriptors& descriptors;
  LargeMessages& large_messages;
  const IdGuard& ids;
  TapSources taps;  ///< listen to every conversation; null: not configured
  Log& log;
};

class RealtimeEndpoint {
 public:
  explicit RealtimeEndpoint(RealtimeParts parts)
      : parts_(parts), origins_(parts.settings.server), secrets_(parts.upstream.secrets()) {}

  Awaitable<std::optional<HttpService::Refused>> upgrade(HttpRequest request, Transport transport,
                                                         Worker& worker) const;

 private:
  /// A new session, or a running one to join.
  enum class Admitted { begins, joins };
  Awaitable<std::variant<Admitted, HttpResponse>> take_place(const RealtimeCall& call,
                                                             Worker& worker) const;
  /// A conversation that is new, or that the previous process has suspended.
  struct Begun {
    storage::OpenedAttempt opened;
    std::optional<storage::ResumedAttempt> taken;
  };
  Awaitable<std::unique_ptr<Peer>> accept(const RealtimeCall& call, const HttpRequest& request,
                                          Transport transport, Worker& worker) const;
  std::optional<HttpResponse> refuse_secrets(const RealtimeCall& call) const;
  /// The stored content of the client's token; empty without a token. A refusal if the token may
  /// not open the session.
  using Token = storage::ClientToken;
  Awaitable<std::variant<Token, HttpResponse>> token_of(const RealtimeCall& call,
                                                        Worker& worker) const;
  /// Stores that a token for any session of its user is used for this one. Returns false if the
  /// store cannot write it.
  Awaitable<bool> note_use(const RealtimeCall& call, Worker& worker) const;
  Awaitable<std::variant<Begun, HttpResponse>> begin(const RealtimeCall& call, const Token& token,
                                                     Worker& worker) const;
  /// Not a coroutine: its temporaries would stay in memory as long as the conversation.
  std::unique_ptr<SessionDriver> driver_for(const RealtimeCall& call, Begun begun, Token token,
                                            std::shared_ptr<UserAccount> account,
                                            std::unique_ptr<Peer> client, Worker& worker) const;
  Awaitable<void> converse(const RealtimeCall& call, std::unique_ptr<SessionDriver> driver,
                           Worker& worker) const;
  void report_end(const RealtimeCall& call, const SessionDriver& driver, Worker& worker) const;

  RealtimeParts parts_;
  OriginRules origins_;
  std::shared_ptr<const session::SecretFilter>
      secrets_;  ///< to remove from the provider's messages
};

}  // namespace verbatim::server
