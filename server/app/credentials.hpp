// The credentials that the server accepts, and what ends when a key is removed from the
// configuration.
//
// On the control thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/log.hpp"
#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/api/live_feed.hpp"
#include "server/app/data_dir.hpp"
#include "server/net/async.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/access/revocations.hpp"
#include "server/relay/session_registry.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::app {

bool listens_on_loopback(const config::Server& server);
/// Throws config::ConfigError if other machines could call without credentials.
void require_authentication(const config::Settings& settings);
/// Throws config::ConfigError if settings for tests could harm conversations of other machines.
void require_safe_testing(const config::Settings& settings);

class Credentials {
 public:
  /// All references must outlive it. Throws config::ConfigError, as make().
  Credentials(const config::Settings& settings, const DataDir& data_dir, relay::Registry& registry,
              access::Revocations& revocations, api::LiveFeed& feed, Log& log)
      : data_dir_(data_dir),
        registry_(registry),
        revocations_(revocations),
        feed_(feed),
        log_(log),
        authenticator_(make(settings)) {}

  /// Any thread.
  const Reloadable<const access::Authenticator>& authenticator() const { return authenticator_; }

  /// Throws config::ConfigError if other machines could call without credentials.
  std::shared_ptr<const access::Authenticator> make(const config::Settings& settings) const;
  /// Ends everything that was admitted with a key that `next` no longer has. Revoking its tokens in
  /// the store is a separate step, which may fail.
  void use(std::shared_ptr<const access::Authenticator> next);
  /// Another node has revoked the token: revokes it in the store, and ends its connections. `done`
  /// is called once it is durable. Any thread.
  void revoke_token(const std::string& id, store::TokenStore& tokens, store::Done<> done);
  /// Revokes the tokens of back-end keys that are no longer configured, and ends their connections.
  /// `patience`: how long the store may take.
  net::Awaitable<void> revoke_tokens_of_removed_keys(net::Executor executor,
                                                     store::TokenStore& tokens,
                                                     std::chrono::milliseconds patience);

 private:
  /// `ids`: of Principal::credential_id().
  void end_uses_of(std::shared_ptr<const std::unordered_set<std::string>> ids);

  const DataDir& data_dir_;
  relay::Registry& registry_;
  access::Revocations& revocations_;
  api::LiveFeed& feed_;
  Log& log_;
  Reloadable<const access::Authenticator> authenticator_;
};

}  // namespace verbatim::app
