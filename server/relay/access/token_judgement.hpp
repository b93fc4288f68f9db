// Decides whether a client token is valid for a session, by its claims and by the store. The
// signature has been checked before.
//
// Pure; any thread. A refusal is a value.
#pragma once

#include <optional>

#include "server/relay/access/auth.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::access {

/// The question to the store about a token that is used for this session.
store::TokenUse use_of(const TokenClaims& claims, const std::string& session_id);

/// Why the token may not read, watch or fill the session: 401 or 404. nullopt: it may.
std::optional<AuthFailure> refuse_use(const TokenClaims& claims, bool expired,
                                      const store::TokenStanding& standing);

/// Why the token may not open or resume the session; nullopt: it may. An expired token may only
/// resume. `resumes`: there is something to resume.
std::optional<AuthFailure> refuse_opening(const TokenClaims& claims, bool expired, bool resumes,
                                          const store::TokenStanding& standing);

AuthFailure expired_token();
AuthFailure revoked_token();
/// The answer to a long-running call whose token or back-end key has been revoked.
AuthFailure revoked(const Principal& principal);
/// The store does not have the token's content, or the token's key does not open it.
AuthFailure forgotten_token();

}  // namespace verbatim::access
