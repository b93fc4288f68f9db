// Whether a client token is good for a session, judged by what it says and what the store knows.
// The signature has been checked before.
//
// Pure; any thread.
#pragma once

#include <optional>

#include "server/relay/access/auth.hpp"
#include "storage/store/client_tokens.hpp"

namespace verbatim::server {

/// What the store is to be asked about a token that is shown for this session.
storage::TokenUse use_of(const TokenClaims& claims, const std::string& session_id);

/// Why the token may not read, watch or fill the session: 401 or 404. nullopt: it may.
std::optional<AuthFailure> refuse_use(const TokenClaims& claims, bool expired,
                                      const storage::TokenStanding& standing);

/// Why it may not open the session, nor come back to it. An expired one may come back only; with
/// `resumes` false there is nothing to come back to.
std::optional<AuthFailure> refuse_opening(const TokenClaims& claims, bool expired, bool resumes,
                                          const storage::TokenStanding& standing);

AuthFailure expired_token();
AuthFailure revoked_token();
/// What a call that lasts is answered once its token or back-end key has been revoked.
AuthFailure revoked(const Principal& principal);
/// The store has not what the token stands for, or cannot open it with the token's key.
AuthFailure forgotten_token();

}  // namespace verbatim::server
