#include "server/app/credentials.hpp"

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "server/net/from_callback.hpp"
#include "server/net/proxies.hpp"
#include "server/relay/access/token_terms.hpp"

namespace verbatim::app {

bool listens_on_loopback(const config::Server& server) {
  return server.listen.host == "localhost" || net::is_loopback(server.listen.host);
}

bool has_authentication(const config::Settings& settings) {
  return !settings.auth.api_keys.empty() || !settings.auth.token_secret.empty();
}

void require_authentication(const config::Settings& settings) {
  if (has_authentication(settings) || listens_on_loopback(settings.server)) return;
  throw config::ConfigError(
      "server.listen = " + settings.server.listen.host +
      " is reachable from other machines, but no authentication is configured. Set "
      "auth.api_keys (see `verbatim keygen`) or auth.token_secret_file, or listen on "
      "127.0.0.1.");
}

void require_safe_testing(const config::Settings& settings) {
  if (!settings.testing.forward_before_commit || listens_on_loopback(settings.server)) return;
  throw config::ConfigError(
      "testing.forward_before_commit = true loses text in a crash. It is for tests only and "
      "not accepted with server.listen = " +
      settings.server.listen.host + ": listen on 127.0.0.1, or remove the setting.");
}

std::shared_ptr<const access::Authenticator> Credentials::make(
    const config::Settings& settings) const {
  access::require_known_fields(settings);
  require_authentication(settings);
  const std::string secret = settings.auth.token_secret.empty()
                                 ? data_dir_.token_secret()
                                 : settings.auth.token_secret.reveal();
  const auto from_elsewhere = [&log = log_](std::string_view why) {
    log.warn("development.refused",
             {{"why", why},
              {"now",
               "development mode serves this machine only; set auth.api_keys (see `verbatim "
               "keygen`) to serve other clients. This is logged once."}});
  };
  return std::make_shared<const access::Authenticator>(
      settings.auth.api_keys, secret, !has_authentication(settings) && settings.auth.development,
      from_elsewhere);
}

void Credentials::use(std::shared_ptr<const access::Authenticator> next) {
  const auto before = authenticator_.get();
  const auto removed = std::make_shared<std::unordered_set<std::string>>();
  for (const std::string& id : before->key_ids())
    if (!next->has_key(id)) removed->insert(access::credential_of_key(id));
  for (const std::string& id : next->key_ids()) revocations_.remove(access::credential_of_key(id));
  authenticator_.set(std::move(next));
  if (removed->empty()) return;
  end_uses_of(removed);
  log_.warn("back_end_key.revoked", {{"keys", removed->size()},
                                     {"why", "auth.api_keys no longer lists them"},
                                     {"now", "their connections and tokens end"}});
}

void Credentials::end_uses_of(std::shared_ptr<const std::unordered_set<std::string>> ids) {
  revocations_.add(*ids);
  registry_.end_connections_of(std::move(ids));
  feed_.wake_watchers();
}

void Credentials::revoke_token(const std::string& id, store::TokenStore& tokens,
                               store::Done<> done) {
  tokens.revoke_token(id, now().wall, [this, id, done](const store::StoreResult<bool>& known) {
    if (!known) return done(tl::unexpected(known.error()));
    end_uses_of(std::make_shared<std::unordered_set<std::string>>(std::unordered_set{id}));
    if (*known)
      log_.info("client_secret.revoked", {{"id", id}, {"by", "another relay of the fleet"}});
    done({});
  });
}

net::Awaitable<void> Credentials::revoke_tokens_of_removed_keys(
    net::Executor executor, store::TokenStore& tokens, std::chrono::milliseconds patience) {
  const auto start = [&](auto done) {
    tokens.revoke_tokens_of_other_keys(authenticator_.get()->key_ids(), now().wall, done);
  };
  // A disk that does not respond must not block the start.
  const auto deadline = net::Clock::now() + patience;
  using Outcome = store::StoreResult<std::vector<std::string>>;
  const auto outcome = co_await net::from_callback<Outcome>(executor, deadline, start);
  if (!outcome || !*outcome) {
    const std::string why = outcome ? outcome->error().what() : "the disk does not answer";
    log_.error("client_secret.not_revoked", {{"why", why}, {"now", "send SIGHUP again"}});
    co_return;
  }
  const auto ids =
      std::make_shared<std::unordered_set<std::string>>((*outcome)->begin(), (*outcome)->end());
  if (ids->empty()) co_return;
  end_uses_of(ids);
  log_.warn(
      "client_secret.revoked",
      {{"tokens", ids->size()}, {"why", "auth.api_keys no longer lists the key that minted them"}});
}

}  // namespace verbatim::app
