// Client tokens as the store knows them: what each was made for, what it stands for, whether it was
// revoked, and whether it still holds for a session. A token's value is never here.
//
// On the database's thread. All throw StorageError. Times in milliseconds since 1970.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/turn.hpp"

namespace verbatim::storage {

class Database;

/// A text that begins so can be read only with a key that the token has: not by the store. What an
/// older program wrote is JSON, and never begins so.
inline constexpr std::string_view sealed_prefix = "sealed:";

struct ClientToken {
  std::string id;
  std::string user;
  std::string session_id;           ///< that it was made for
  bool session_open = false;        ///< it may name other sessions of its user
  std::string session_config_json;  ///< sealed, as is private_json
  std::string terms_json = "{}";    ///< its policy and limits, as the server wrote them
  std::string private_json = "{}";  ///< metadata of its sessions that only back ends read
  TimeMs created_at = 0;
  TimeMs expires_at = 0;
  std::optional<TimeMs> revoked_at;
  std::string made_by =
      {};  ///< id of the back-end key; empty: none, or an older program has made it
};

void save_client_token(Database&, const ClientToken&);

/// Removes those that are good for nothing any more: expired, and no session of theirs goes on or
/// has ended within `window_ms`.
void prune_client_tokens(Database&, TimeMs now, std::int64_t window_ms);

/// From now on it is refused, also after a restart. False if there is no such token; one that was
/// revoked before stays so.
bool revoke_client_token(Database&, const std::string& id, TimeMs now);

/// As that, for all that were made by a back-end key that is not one of these. Their ids.
std::vector<std::string> revoke_tokens_of_other_keys(Database&,
                                                     const std::vector<std::string>& keys,
                                                     TimeMs now);

/// An open token is used for this session: it is one of the token's own from now on.
void note_token_use(Database&, const std::string& id, const std::string& session_id);

/// The session is to be erased: no token is its own any more. Of tokens that were made for it
/// everything but the id is forgotten, and they are revoked: what they stand for is gone. One that
/// may open other sessions, too, stays good: what it stands for is sealed. Only if an older program
/// has left that in the clear, and no other session has it, is it revoked likewise.
void forget_tokens_of(Database&, const std::string& session_id);

struct TokenFilter {
  std::optional<std::string> user;
  std::optional<std::string> session_id;
  std::size_t limit = 50;
  std::string cursor;  ///< from the page before; empty for the first
};
struct TokenPage {
  std::vector<ClientToken> tokens;  ///< newest first, without what they stand for
  std::string next_cursor;          ///< empty on the last page
};
/// Those that are not revoked and that prune_client_tokens() would keep.
TokenPage list_client_tokens(Database&, const TokenFilter&, TimeMs now, std::int64_t window_ms);

/// A token that is shown for a session.
struct TokenUse {
  std::string id;  ///< empty: an older program has made it
  std::string session_id;
  bool bound = false;  ///< the token itself names the session
  TimeMs expires_at = 0;
};
struct TokenStanding {
  std::optional<ClientToken> stored;  ///< nullopt: another server has made it, or it is forgotten
  std::optional<std::string> owner;   ///< the session's user; nullopt: there is no such session
  bool own = false;                   ///< bound to the session, or used for it before
  /// What began in the session while the token was good goes on, or ended within the window: an
  /// expired token is good for that.
  bool goes_on = false;
};
TokenStanding token_standing(Database&, const TokenUse&, TimeMs now, std::int64_t window_ms);

}  // namespace verbatim::storage
