// A client's request in the form in which it is passed on to another node: below /fleet, with the
// headers that the relay and its API read, and a token.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "server/net/http_message.hpp"

namespace verbatim::peers {

inline constexpr std::string_view peer_prefix = "/fleet";
inline constexpr const char* peer_token_header = "Verbatim-Peer";

/// The whole request: head and body. Proxies' headers and browsers' own are left out, so the head
/// is no longer than the client's.
/// `host`: authority of the node, for a client without a Host header.
std::string request_for_peer(const net::HttpRequest& request, const std::string& host,
                             const std::string& token);

bool is_below_peer_prefix(std::string_view path);
/// Turns the path of a request from another node back into the client's. Precondition: it is below
/// /fleet.
void remove_peer_prefix(net::HttpRequest& request);

}  // namespace verbatim::peers
