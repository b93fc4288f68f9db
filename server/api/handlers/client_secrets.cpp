// The calls of the API that make, list and revoke client tokens.

#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/ids.hpp"
#include "base/json/tree.hpp"
#include "base/log.hpp"
#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/api/live_feed.hpp"
#include "server/api/requests/client_secret.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/session_node.hpp"
#include "server/api/store_access.hpp"
#include "server/relay/access/revocations.hpp"
#include "server/relay/access/sealed.hpp"
#include "server/relay/access/token_content.hpp"
#include "server/relay/peers.hpp"
#include "server/relay/session_registry.hpp"
#include "session/protocol/clients/beta_shapes.hpp"
#include "storage/store/session_store.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::api::handlers {

namespace {

Json shown(const store::ClientToken& token, TimeMs at) {
  return {{"id", token.id},
          {"user", token.user},
          {"session_id", token.session_id},
          {"any_session_of_user", token.session_open},
          {"created_at", token.created_at / 1000},
          {"expires_at", token.expires_at / 1000},
          {"expired", token.expires_at <= at}};
}

Json minted(const access::TokenClaims& claims, const requests::ClientSecretRequest& asked) {
  return {{"token_id", claims.id},
          {"session_id", claims.session_id},
          {"user", claims.user},
          {"metadata", asked.metadata}};
}

/// A client token, as requested.
struct Minted {
  std::string token;
  access::TokenClaims claims;
};

/// The refusal if the session belongs to another user. nullopt: it is the user's, or there is no
/// such session yet.
net::Awaitable<std::optional<net::HttpResponse>> refuse_owner(const ApiServices& api,
                                                              const RequestContext& context,
                                                              const std::string& session_id,
                                                              const std::string& user) {
  using Owner = std::optional<std::string>;
  const auto call = [&](auto done) {
    api.sessions.find_owner(session_id, {"a session's owner"}, done);
  };
  const auto found = co_await from_store<Owner>(context, call);
  if (!found) {
    co_return retry_later(net::openai_error(503, "storage_unavailable",
                                            "The relay cannot read whose session this is."));
  }
  const Owner& owner = *found;
  if (!owner || *owner == user) co_return std::nullopt;
  co_return net::openai_error(404, "session_not_found",
                              "This user has no such session ('verbatim.session_id').");
}

/// 413 if the upgrade would refuse the token's request for its length.
std::optional<net::HttpResponse> refuse_length(const ApiServices& api,
                                               const access::TokenClaims& claims) {
  const auto why = access::too_long(api.authenticator.get()->mint(claims),
                                    api.settings.get()->server.header_bytes_max,
                                    {{"'verbatim.metadata'", claims.metadata_json},
                                     {"'verbatim.user'", claims.user},
                                     {"'session.model'", claims.model}});
  if (!why) return std::nullopt;
  return net::openai_error(413, "token_too_long", *why);
}

/// Without a session id if none is requested.
access::TokenClaims claims_of(const requests::ClientSecretRequest& asked,
                              const access::Principal& principal, TimeMs at) {
  access::TokenClaims claims;
  claims.id = new_sortable_id("cs_", at);
  claims.user = asked.user.value_or(principal.user);
  claims.user_named = asked.user.has_value();
  claims.session_id = asked.session_id;
  claims.session_open = asked.session_id.empty() && asked.user;
  claims.metadata_json = asked.metadata.dump();
  claims.model = asked.model();
  claims.expires_at_s = at / 1000 + asked.seconds;
  claims.configured = asked.stands_for_something();
  if (claims.configured) claims.content_key = random_bytes(access::sealing_key_bytes);
  return claims;
}

store::ClientToken token_to_store(const access::TokenClaims& claims,
                                  const requests::ClientSecretRequest& asked,
                                  const access::Principal& principal, TimeMs at) {
  store::ClientToken token;
  token.id = claims.id;
  token.user = claims.user;
  token.session_id = claims.session_id;
  token.session_open = claims.session_open;
  token.session_config_json = asked.configuration();
  if (!asked.terms.empty()) token.terms_json = asked.terms;
  token.private_json = asked.private_metadata.dump();
  token.created_at = at;
  token.expires_at = claims.expires_at_s * 1000;
  token.made_by = principal.key_id;
  access::seal_content(token, claims.content_key);
  return token;
}

/// The time at which tokens are judged.
store::TokenClock clock_at(const ApiServices& api, TimeMs at) {
  return {at, api.settings.get()->session.resume_window.count()};
}

net::Awaitable<net::Result<Minted>> mint(const ApiServices& api, const RequestContext& context,
                                         const requests::ClientSecretRequest& asked) {
  if (auto refused = refuse_secrets(api.ids, {{"'verbatim.session_id'", asked.session_id},
                                              {"'verbatim.user'", asked.user.value_or("")},
                                              {"'session.model'", asked.model()}}))
    co_return net::Refusal(std::move(*refused));
  const TimeMs at = now().wall;
  access::TokenClaims claims = claims_of(asked, context.principal, at);
  const bool is_new = claims.session_id.empty();
  if (is_new) claims.session_id = new_sortable_id("sess_", at);
  if (auto answer = co_await make_at_session_node(api, context, claims.session_id, is_new))
    co_return net::Refusal(*std::move(answer));
  if (!is_new) {
    if (auto refused = co_await refuse_owner(api, context, claims.session_id, claims.user))
      co_return net::Refusal(std::move(*refused));
  }
  if (auto refused = refuse_length(api, claims)) co_return net::Refusal(std::move(*refused));
  const store::ClientToken token = token_to_store(claims, asked, context.principal, at);
  const auto save = [&](auto done) { api.tokens.save_token(token, clock_at(api, at), done); };
  if (const auto saved = co_await from_store(context, save); !saved) {
    api.log.error("client_secret.not_saved", {{"why", saved.error().what()}});
    co_return net::Refusal(retry_later(
        net::openai_error(503, "storage_failure", "The token could not be saved; see /readyz.")));
  }
  const auto authenticator = api.authenticator.get();
  // The key may have been removed meanwhile, and with it the tokens that were stored by then.
  if (!token.made_by.empty() && !authenticator->has_key(token.made_by))
    co_return net::Refusal(net::openai_error(401, "invalid_api_key",
                                             "The back-end key is not listed in auth.api_keys."));
  std::string value = authenticator->mint(claims);
  co_return Minted{std::move(value), std::move(claims)};
}

/// Revokes a token that this node does not have for all nodes of the fleet. The answer if that was
/// not done.
net::Awaitable<std::optional<net::HttpResponse>> revoke_elsewhere(const ApiServices& api,
                                                                  const RequestContext& context) {
  using relay::TokenRecord;
  const auto record = api.peers == nullptr ? TokenRecord::nowhere
                                           : co_await api.peers->revoke_token(
                                                 context.executor(), context.id, now().wall);
  switch (record) {
    case TokenRecord::here:
      break;
    case TokenRecord::nowhere:
      co_return net::problem(404, "not found", "There is no such client token.");
    case TokenRecord::unknown:
      co_return fleet_database_unavailable(
          "This relay does not have the token, and the fleet's database does not answer.");
  }
  co_return std::nullopt;
}

}  // namespace

net::Awaitable<net::HttpResponse> create_client_secret(const ApiServices& api,
                                                       RequestContext& context) {
  auto read = requests::read_client_secret_request(context.request.body, *api.settings.get());
  if (!read) co_return std::move(read).error();
  const auto& asked = *read;
  auto outcome = co_await mint(api, context, asked);
  if (!outcome) co_return std::move(outcome).error();
  const auto& [token, claims] = *outcome;
  Json answered = asked.session;
  if (!answered.contains("type")) answered["type"] = "realtime";
  co_return json_response({{"value", token},
                           {"expires_at", claims.expires_at_s},
                           {"session", answered},
                           {"verbatim", minted(claims, asked)}});
}

net::Awaitable<net::HttpResponse> create_beta_session(const ApiServices& api,
                                                      RequestContext& context) {
  auto read = requests::read_beta_session_request(context.request.body, *api.settings.get());
  if (!read) co_return std::move(read).error();
  const auto& asked = *read;
  auto outcome = co_await mint(api, context, asked);
  if (!outcome) co_return std::move(outcome).error();
  const auto& [token, claims] = *outcome;
  const std::string bound = asked.session.dump();
  Json answered = Json::parse(protocol::beta::beta_session(verbatim::json::View::of(bound)));
  answered["id"] = claims.session_id;
  answered["object"] = "realtime.session";
  answered["client_secret"] = {{"value", token}, {"expires_at", claims.expires_at_s}};
  answered["verbatim"] = minted(claims, asked);
  co_return json_response(answered);
}

net::Awaitable<net::HttpResponse> list_client_secrets(const ApiServices& api,
                                                      RequestContext& context) {
  auto asked = requests::read_token_filter(context.request);
  if (!asked) co_return std::move(asked).error();
  const TimeMs at = now().wall;
  const auto call = [&](auto done) {
    api.tokens.list_tokens(*asked, clock_at(api, at), {"GET /v1/client_secrets"}, done);
  };
  auto page = co_await ask_store<store::TokenPage>(api, context, call);
  if (!page) co_return std::move(page).error();
  Json tokens = Json::array();
  for (const store::ClientToken& token : page->tokens) tokens.push_back(shown(token, at));
  co_return json_response(
      {{"client_secrets", tokens},
       {"next_cursor", page->next_cursor.empty() ? Json(nullptr) : Json(page->next_cursor)}});
}

net::Awaitable<net::HttpResponse> revoke_client_secret(const ApiServices& api,
                                                       RequestContext& context) {
  const auto call = [&](auto done) { api.tokens.revoke_token(context.id, now().wall, done); };
  auto known = co_await ask_store<bool>(api, context, call);
  if (!known) co_return std::move(known).error();
  if (!*known) {
    if (auto answer = co_await revoke_elsewhere(api, context)) co_return *std::move(answer);
  }
  // Durable first: a connection that is admitted from here on finds it in the store; one that was
  // admitted before finds it here, or is ended.
  api.revocations.add(context.id);
  api.registry.end_connections_of(context.id);
  api.feed.wake_watchers();
  api.log.info("client_secret.revoked", {{"id", context.id}, {"by", context.principal.user}});
  co_return no_content();
}

}  // namespace verbatim::api::handlers
