#include "server/api/authorize.hpp"

#include <utility>
#include <variant>

#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/relay/access/origin.hpp"
#include "server/relay/access/revocations.hpp"
#include "server/relay/access/token_judgement.hpp"

namespace verbatim::api {

namespace {

net::Result<access::Principal> authorize_internal_service(const Secret& key,
                                                          const net::HttpRequest& request) {
  if (key.empty() || !equal_secrets(request.header("X-Internal-Service-Key"), key.reveal())) {
    return net::Refusal(net::problem(401, "unauthorized",
                                     "Send the header X-Internal-Service-Key with the key of "
                                     "auth.internal_service_key_file."));
  }
  return access::Principal{access::Principal::Kind::api_key, "internal-service", {}};
}

std::optional<net::HttpResponse> refuse_client_token(const access::Principal& principal,
                                                     RequiredCredential needed,
                                                     const net::HttpRequest& request,
                                                     const std::string& id) {
  if (needed != RequiredCredential::back_end_or_own_session) {
    if (principal.expired) return unauthorized(request, access::expired_token());
    return net::problem(403, "forbidden", "This call needs a back-end key (vk_...).");
  }
  if (!principal.claims->session_open && principal.claims->session_id != id) {
    return principal.expired ? unauthorized(request, access::expired_token()) : not_found();
  }
  return std::nullopt;
}

std::optional<net::HttpResponse> refuse_principal(const ApiServices& api,
                                                  const access::Principal& principal,
                                                  RequiredCredential needed,
                                                  const net::HttpRequest& request,
                                                  const std::string& id) {
  switch (principal.kind) {
    case access::Principal::Kind::api_key:
      return std::nullopt;
    case access::Principal::Kind::development:
      if (api.origins.get()->admit(request)) return std::nullopt;
      return net::problem(
          403, "forbidden",
          "In development mode, only the relay's own pages may call without a key.");
    case access::Principal::Kind::client_token:
      return refuse_client_token(principal, needed, request, id);
  }
  return std::nullopt;
}

}  // namespace

net::Result<access::Principal> authorize(const ApiServices& api, RequiredCredential needed,
                                         const net::HttpRequest& request, const std::string& id) {
  if (needed == RequiredCredential::none) return access::Principal{};
  if (needed == RequiredCredential::internal_service)
    return authorize_internal_service(api.settings.get()->auth.internal_service_key, request);
  auto authenticated = api.authenticator.get()->authenticate(request, now().wall / 1000);
  if (!authenticated) return net::Refusal(unauthorized(request, authenticated.error()));
  if (auto refused = refuse_principal(api, *authenticated, needed, request, id))
    return net::Refusal(std::move(*refused));
  return *std::move(authenticated);
}

net::Awaitable<std::optional<net::HttpResponse>> refuse_use_of_token(
    const ApiServices& api, const RequestContext& context) {
  const access::TokenClaims& claims = *context.principal.claims;
  const store::TokenClock clock{now().wall, api.settings.get()->session.resume_window.count()};
  const auto call = [&](auto done) {
    api.tokens.read_standing(access::use_of(claims, context.id), clock, {"a client token"}, done);
  };
  auto standing = co_await ask_store<store::TokenStanding>(api, context, call);
  if (!standing) co_return std::move(standing).error();
  const auto refused = access::refuse_use(claims, context.principal.expired, *standing);
  if (!refused) co_return std::nullopt;
  if (refused->status == 404) co_return not_found();
  co_return unauthorized(context.request, *refused);
}

std::function<bool()> may_go_on(const ApiServices& api, const RequestContext& context) {
  std::string id = context.principal.credential_id();
  if (id.empty()) return [] { return true; };
  return [&revocations = api.revocations, id = std::move(id)] { return !revocations.contains(id); };
}

}  // namespace verbatim::api
