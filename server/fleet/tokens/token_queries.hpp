// The statements about client tokens of all nodes. Each is portable SQL of one round trip.
//
// On the thread of the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "server/fleet/database/connection.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::tokens {

/// nullopt: no node has shipped such a token.
database::DatabaseResult<std::optional<store::ShippedToken>> find_token(
    database::Connection& connection, const std::string& id);

/// Revokes the token for all nodes. False: no node has shipped such a token. One that was revoked
/// before keeps its time.
database::DatabaseResult<bool> revoke_token(database::Connection& connection, const std::string& id,
                                            TimeMs at);

/// Revocations that one call of find_revoked() returns at most.
inline constexpr std::int64_t revoked_at_once = 1000;
/// Ids of revoked tokens, in their order, behind `after`. `all`: else those that were revoked in
/// the last minutes. Tokens that ended with the erasure of their session are left out.
database::DatabaseResult<std::vector<std::string>> find_revoked(database::Connection& connection,
                                                                bool all, const std::string& after);

}  // namespace verbatim::tokens
