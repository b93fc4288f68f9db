#include "server/relay/access/token_judgement.hpp"

namespace verbatim::access {

namespace {

AuthFailure foreign_session() {
  // Do not reveal who owns the session, or whether it exists.
  return {404, "session_not_found", "There is no such session, or the token is not for it."};
}

/// Checks the token itself, for any use.
std::optional<AuthFailure> refuse_token(const TokenClaims& claims, bool expired,
                                        const store::TokenStanding& standing) {
  if (standing.stored && standing.stored->revoked_at) return revoked_token();
  if (claims.configured && !standing.stored) return forgotten_token();
  if (expired && (!standing.goes_on || standing.owner != claims.user)) return expired_token();
  return std::nullopt;
}

}  // namespace

AuthFailure expired_token() {
  return {401, "token_expired", "The client token has expired. Ask your back end for a new one."};
}

AuthFailure revoked_token() {
  return {401, "token_revoked",
          "The client token has been revoked. Ask your back end for a new one."};
}

AuthFailure revoked(const Principal& principal) {
  if (principal.claims) return revoked_token();
  return {401, "invalid_api_key",
          "The back-end key has been revoked: auth.api_keys has it no longer."};
}

AuthFailure forgotten_token() {
  return {401, "token_expired", "The client token's record has been deleted. Ask for a new token."};
}

store::TokenUse use_of(const TokenClaims& claims, const std::string& session_id) {
  return {claims.id, session_id, claims.session_id == session_id, claims.expires_at_s * 1000};
}

std::optional<AuthFailure> refuse_use(const TokenClaims& claims, bool expired,
                                      const store::TokenStanding& standing) {
  if (auto refused = refuse_token(claims, expired, standing)) return refused;
  if (!standing.own || standing.owner != claims.user) return foreign_session();
  return std::nullopt;
}

std::optional<AuthFailure> refuse_opening(const TokenClaims& claims, bool expired, bool resumes,
                                          const store::TokenStanding& standing) {
  if (auto refused = refuse_token(claims, expired, standing)) return refused;
  if (expired && !resumes) return expired_token();
  if (standing.owner && *standing.owner != claims.user) return foreign_session();
  return std::nullopt;
}

}  // namespace verbatim::access
