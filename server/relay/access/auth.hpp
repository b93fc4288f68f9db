// Authentication: client tokens (`ek_...`) are signed and expire; of back-end keys (`vk_...`) only
// the SHA-256 is kept. No token and no key is logged.
//
// Immutable after construction; any thread. Failures are values.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "config/settings.hpp"
#include "server/net/http_message.hpp"

namespace verbatim::access {

/// The content of a client token.
struct TokenClaims {
  std::string id;  ///< the token's id in the store; empty in tokens of older versions
  /// The store has settings, terms or metadata for the token. It is not valid without them.
  bool configured = false;
  /// Key for the content that the store keeps sealed (sealed.hpp). Empty: there is none, or an
  /// older version made the token and its content is stored unsealed.
  std::string content_key;
  std::string user;
  /// False: the token was minted without a user, and `user` is the name of the back-end key.
  bool user_named = true;
  std::string session_id;
  /// The client may name another session of its user (`session=ID`): the token was minted with a
  /// user and without a session. The store knows the owner of each session.
  bool session_open = false;
  std::string metadata_json = "{}";
  std::string model;  ///< empty: the model that the client names, or the configured one
  std::int64_t expires_at_s = 0;
};

/// Size of the longest token in bytes that fits into a request's head. This is
/// server.header_bytes_max minus the other headers of a browser (2 KiB, or half of the limit if it
/// is small).
std::size_t token_bytes_max(std::size_t header_bytes_max);

/// Explains why `token` cannot be used: it is longer than token_bytes_max(). Names the largest of
/// `fields` {name in answers, value}. nullopt: the token is short enough.
std::optional<std::string> too_long(
    std::string_view token, std::size_t header_bytes_max,
    std::initializer_list<std::pair<const char*, std::string_view>> fields);

struct Principal {
  enum class Kind { development, api_key, client_token };
  Kind kind = Kind::development;
  std::string user;
  std::optional<TokenClaims> claims;  ///< set for a client token
  /// The token has expired; it is valid only for sessions that it has opened (token_judgement.hpp).
  bool expired = false;
  std::string key_id = {};  ///< id of a back-end key

  /// Identifies the token or back-end key of the request, to end what was admitted with it when it
  /// is revoked. Empty: neither was sent, or the token is of a version without ids.
  std::string credential_id() const;
};

/// Principal::credential_id() for the key of this id.
std::string credential_of_key(std::string_view key_id);
bool is_of_key(std::string_view credential_id);

struct AuthFailure {
  int status = 401;
  /// missing_credentials, invalid_token, token_expired, invalid_api_key, not_on_this_machine
  std::string code;
  std::string message;
};

using AuthResult = tl::expected<Principal, AuthFailure>;

class Authenticator {
 public:
  /// Called once, with the reason, when a request is refused that the development mode would admit
  /// from this machine. Any thread.
  using FromElsewhere = std::function<void(std::string_view why)>;
  /// `api_keys`: the configured back-end keys.
  /// `token_secret`: at least 32 bytes.
  /// `development`: admit requests without credentials that come from this machine, to its loopback
  /// name and not through a proxy.
  Authenticator(std::vector<config::ApiKey> api_keys, std::string token_secret, bool development,
                FromElsewhere from_elsewhere = nullptr);

  /// Authenticates a request by credential_of(). `now_s`: wall clock in seconds.
  AuthResult authenticate(const net::HttpRequest& request, std::int64_t now_s) const;

  std::string mint(const TokenClaims& claims) const;
  /// Reads a token. nullopt: the signature is wrong. The caller checks the expiry.
  std::optional<TokenClaims> read_token(std::string_view token) const;

  /// A key for another purpose. All servers with the same token secret derive the same one, and it
  /// reveals nothing of the secret.
  std::string derived_key(std::string_view purpose) const;

  /// Ids of all back-end keys. A key that replaces another of the same name has another id.
  std::vector<std::string> key_ids() const;
  bool has_key(std::string_view id) const;

  bool development() const { return development_; }

 private:
  AuthResult developer(const net::HttpRequest& request) const;

  std::vector<config::ApiKey> api_keys_;
  std::string token_secret_;
  bool development_;
  FromElsewhere from_elsewhere_;
  mutable std::once_flag reported_;
};

/// The credential of a request, in this order: Authorization: Bearer, api-key (Azure's
/// header), the subprotocol. Empty if there is none.
struct Credential {
  std::string_view value;
  bool in_header = false;  ///< in a header of its own, not in the subprotocol
};
Credential credential_of(const net::HttpRequest& request);

struct NewApiKey {
  std::string key;     ///< vk_...; it is shown once
  std::string sha256;  ///< stored in the configuration
};
NewApiKey make_api_key();

}  // namespace verbatim::access
