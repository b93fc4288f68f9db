// The store's records of client tokens: the session and settings of each, whether it was revoked,
// and whether it is valid for a session. The token's value is never stored.
//
// On the database's thread. All throw StorageError. Times are milliseconds since 1970.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/turn.hpp"

namespace verbatim::storage {

class Database;

/// Text that begins so is encrypted with a key that only the token holds, so the store cannot read
/// it. Older programs wrote JSON, which never begins so.
inline constexpr std::string_view sealed_prefix = "sealed:";

struct ClientToken {
  std::string id;
  std::string user;
  std::string session_id;           ///< the session that it was made for
  bool session_open = false;        ///< it may name other sessions of its user
  std::string session_config_json;  ///< sealed, like private_json
  std::string terms_json = "{}";    ///< its policy and limits, as the server wrote them
  std::string private_json = "{}";  ///< metadata of its sessions that only back ends read
  TimeMs created_at = 0;
  TimeMs expires_at = 0;
  std::optional<TimeMs> revoked_at;
  std::string made_by =
      {};  ///< id of the back-end key; empty: none, or an older program has made it
};

void save_client_token(Database&, const ClientToken&);

/// Removes tokens without further use: expired, and with no session that is running or ended within
/// the last `window_ms`.
void prune_client_tokens(Database&, TimeMs now, std::int64_t window_ms);

/// Revokes the token for good. False if there is no such token. A token that was revoked before
/// keeps its time.
bool revoke_client_token(Database&, const std::string& id, TimeMs now);

/// Revokes all tokens that were made by a back-end key not in `keys`. Returns their ids.
std::vector<std::string> revoke_tokens_of_other_keys(Database&,
                                                     const std::vector<std::string>& keys,
                                                     TimeMs now);

/// Records that an open token is used for this session.
void note_token_use(Database&, const std::string& id, const std::string& session_id);

/// Call it before a session is erased: no token belongs to it any more.
/// - A token made for the session is revoked, and everything but its id is deleted.
/// - An open token that was used for the session stays valid, because its content is sealed.
/// - If an older program stored such a token's content unsealed, and it has no other session, it is
///   treated like the first kind.
void forget_tokens_of(Database&, const std::string& session_id);

struct TokenFilter {
  std::optional<std::string> user;
  std::optional<std::string> session_id;
  std::size_t limit = 50;
  std::string cursor;  ///< next_cursor of the page before; empty for the first page
};
struct TokenPage {
  std::vector<ClientToken> tokens;  ///< newest first, without their content
  std::string next_cursor;          ///< empty on the last page
};
/// Lists the tokens that are not revoked and that prune_client_tokens() would keep.
TokenPage list_client_tokens(Database&, const TokenFilter&, TimeMs now, std::int64_t window_ms);

/// A token that a client presents for a session.
struct TokenUse {
  std::string id;  ///< empty: an older program made it
  std::string session_id;
  bool bound = false;  ///< the token itself names the session
  TimeMs expires_at = 0;
};
struct TokenStanding {
  std::optional<ClientToken> stored;  ///< nullopt: another server made it, or it was deleted
  std::optional<std::string> owner;   ///< the session's user; nullopt: there is no such session
  bool own = false;                   ///< bound to the session, or used for it before
  /// An attempt that began before the token expired is running, or ended within the window: the
  /// expired token is valid for it.
  bool goes_on = false;
};
TokenStanding token_standing(Database&, const TokenUse&, TimeMs now, std::int64_t window_ms);

}  // namespace verbatim::storage
