// Stored client tokens: the session and settings of each, whether it was revoked, and whether it is
// valid for a session. The token's value is never stored. Times are milliseconds since 1970.
//
// Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "storage/store/call.hpp"

namespace verbatim::store {

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
  /// id of the back-end key; empty: none, or an older program has made it
  std::string made_by = {};
};

/// When a token is judged. An expired token is of further use while a session of it runs, and
/// `window_ms` after that session's end.
struct TokenClock {
  TimeMs now = 0;
  std::int64_t window_ms = 0;
};

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
  bool began = false;  ///< the session has an attempt that a relay has begun
};

class TokenStore {
 public:
  virtual ~TokenStore() = default;

  virtual void read_standing(TokenUse use, TokenClock clock, ReadLabel label,
                             Done<TokenStanding> done) = 0;
  /// The tokens that are not revoked and are of further use.
  virtual void list_tokens(TokenFilter filter, TokenClock clock, ReadLabel label,
                           Done<TokenPage> done) = 0;

  /// Saves the token, and removes those without further use.
  virtual void save_token(ClientToken token, TokenClock clock, Done<> done) = 0;
  /// Revokes the token for good. False if there is no such token. A token that was revoked before
  /// keeps its time.
  virtual void revoke_token(std::string id, TimeMs now, Done<bool> done) = 0;
  /// Revokes all tokens that were made by a back-end key not in `keys`. Returns their ids.
  virtual void revoke_tokens_of_other_keys(std::vector<std::string> keys, TimeMs now,
                                           Done<std::vector<std::string>> done) = 0;
};

}  // namespace verbatim::store
