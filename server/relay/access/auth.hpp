// Who may connect, and as whom. Client tokens (`ek_...`) are signed and expire; back-end keys
// (`vk_...`) are kept as SHA-256 only. Nothing here is ever logged.
//
// Immutable after construction; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/settings.hpp"
#include "server/net/http_message.hpp"

namespace verbatim::server {

/// What a client token says.
struct TokenClaims {
  std::string id;  ///< by which the store knows it; empty: an older program has made it
  /// It stands for settings, terms or metadata that the store has: without them it is no good.
  bool configured = false;
  /// Opens what the store keeps sealed for it (sealed.hpp). Empty: nothing is, or an older program
  /// has made the token, and what it stands for is kept in the clear.
  std::string content_key;
  std::string user;
  /// False: the minter has named no user, and `user` is the name of its own key.
  bool user_named = true;
  std::string session_id;
  /// The client may name another session of its user (`session=ID`): the minter named the user and
  /// left the session open. Whose a session is, the store knows.
  bool session_open = false;
  std::string metadata_json = "{}";
  std::string model;  ///< empty: whatever the client asks for, or the configured one
  std::int64_t expires_at_s = 0;
};

/// The longest token that fits into the head of a request: server.header_bytes_max without what a
/// browser writes there beside it (2 KiB, or half of it where it is small).
std::size_t token_bytes_max(std::size_t header_bytes_max);

/// Why a token with these claims is of no use: it is longer than token_bytes_max(), and which of
/// `fields` {name in answers, value} makes it so. nullopt: it fits.
std::optional<std::string> too_long(
    std::string_view token, std::size_t header_bytes_max,
    std::initializer_list<std::pair<const char*, std::string_view>> fields);

struct Principal {
  enum class Kind { development, api_key, client_token };
  Kind kind = Kind::development;
  std::string user;
  std::optional<TokenClaims> claims;  ///< of a client token
  /// The token is good only for what it has opened before: token_judgement.hpp.
  bool expired = false;
  std::string key_id = {};  ///< of a back-end key

  /// Of the token, or of the back-end key, that was shown; what ends with it is found by this.
  /// Empty: neither, or a token of a program that gave them no ids.
  std::string credential_id() const;
};

/// What Principal::credential_id() is for the key of this id.
std::string credential_of_key(std::string_view key_id);
bool is_of_key(std::string_view credential_id);

struct AuthFailure {
  int status = 401;
  /// missing_credentials, invalid_token, token_expired, invalid_api_key, not_on_this_machine
  std::string code;
  std::string message;
};

class Authenticator {
 public:
  /// Called once, with why a request was not let in that the development mode would have let in if
  /// it had come from this machine. Any thread.
  using FromElsewhere = std::function<void(std::string_view why)>;
  /// `token_secret`: at least 32 bytes. `development`: admit without credentials what is asked on
  /// this machine, under its loopback name and without a proxy between.
  Authenticator(std::vector<config::ApiKey> api_keys, std::string token_secret, bool development,
                FromElsewhere from_elsewhere = nullptr);

  /// By credential_of().
  std::variant<Principal, AuthFailure> authenticate(const HttpRequest& request,
                                                    std::int64_t now_s) const;

  std::string mint(const TokenClaims& claims) const;
  /// nullopt if the signature is wrong; expiry is the caller's to judge.
  std::optional<TokenClaims> read_token(std::string_view token) const;

  /// Of all back-end keys. One that is replaced by another of the same name has another id.
  std::vector<std::string> key_ids() const;
  bool has_key(std::string_view id) const;

  bool development() const { return development_; }

 private:
  std::variant<Principal, AuthFailure> developer(const HttpRequest& request) const;

  std::vector<config::ApiKey> api_keys_;
  std::string token_secret_;
  bool development_;
  FromElsewhere from_elsewhere_;
  mutable std::once_flag told_;
};

/// The credential in a request, in the interface's order: Authorization: Bearer, api-key (as Azure
/// spells it), the subprotocol. Empty if there is none.
struct Credential {
  std::string_view value;
  bool in_header = false;  ///< of its own: no page sends that by itself
};
Credential credential_of(const HttpRequest& request);

struct NewApiKey {
  std::string key;     ///< vk_..., shown once
  std::string sha256;  ///< what the configuration holds
};
NewApiKey make_api_key();

}  // namespace verbatim::server
