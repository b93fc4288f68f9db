// The token that a node shows to another when it passes on a client's request. It names the client,
// the session, the node that it is for, and the time until which it is valid. It is signed with a
// key that all nodes derive from auth.token_secret_file.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::peers {

/// Nodes have clocks of their own: a token is valid this long before and after it was made.
inline constexpr std::int64_t token_lifetime_s = 120;

struct PeerClaims {
  std::string session_id;
  std::int64_t to = 0;         ///< incarnation of the node that it is for
  std::int64_t made_at_s = 0;  ///< Unix time
  std::string remote;          ///< the client, as HttpRequest has it
  bool secure = false;
  bool proxied = false;
};

/// `key`: Authenticator::derived_key(peer_key_purpose).
std::string mint_peer_token(std::string_view key, const PeerClaims& claims);

enum class PeerRefusal : std::uint8_t { none, not_signed, other_node, too_old };

/// Reads a token. `why`, with nullopt: why it is not valid here and now.
std::optional<PeerClaims> read_peer_token(std::string_view key, std::string_view token,
                                          std::int64_t incarnation, std::int64_t now_s,
                                          PeerRefusal& why);

inline constexpr std::string_view peer_key_purpose = "requests between nodes";

}  // namespace verbatim::peers
