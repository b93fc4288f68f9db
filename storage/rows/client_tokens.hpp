// The rows of client tokens (storage/store/token_store.hpp).
//
// On the database's thread. All throw StorageError. Times are milliseconds since 1970.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/store/token_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

void save_client_token(sqlite::Database&, const store::ClientToken&);

/// Removes tokens without further use: expired, and with no session that is running or ended within
/// the last `window_ms`.
void prune_client_tokens(sqlite::Database&, TimeMs now, std::int64_t window_ms);

/// Revokes the token for good. False if there is no such token. A token that was revoked before
/// keeps its time.
bool revoke_client_token(sqlite::Database&, const std::string& id, TimeMs now);

/// Revokes all tokens that were made by a back-end key not in `keys`. Returns their ids.
std::vector<std::string> revoke_tokens_of_other_keys(sqlite::Database&,
                                                     const std::vector<std::string>& keys,
                                                     TimeMs now);

/// Records that an open token is used for this session.
void note_token_use(sqlite::Database&, const std::string& id, const std::string& session_id);

/// Call it before a session is erased: no token belongs to it any more.
/// - A token made for the session is revoked, and everything but its id is deleted.
/// - An open token that was used for the session stays valid, because its content is sealed.
/// - If an older program stored such a token's content unsealed, and it has no other session, it is
///   treated like the first kind.
void forget_tokens_of(sqlite::Database&, const std::string& session_id);

/// Lists the tokens that are not revoked and that prune_client_tokens() would keep.
store::TokenPage list_client_tokens(sqlite::Database&, const store::TokenFilter&, TimeMs now,
                                    std::int64_t window_ms);

store::TokenStanding token_standing(sqlite::Database&, const store::TokenUse&, TimeMs now,
                                    std::int64_t window_ms);

}  // namespace verbatim::rows
