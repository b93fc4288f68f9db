// Checks a request's head by RFC 9110 and RFC 9112: the target, the length of the body, and the
// client's expectations. Beast's parser checks only the grammar.
//
// A head that two readers could understand differently is refused, since a proxy in front may have
// understood it the other way (request smuggling). The connection must be closed after a refusal:
// the start of the next request is unknown.
//
// Pure; any thread. A refusal is the response to send.
#pragma once

#include <string_view>
#include <variant>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/message.hpp>

#include "server/net/http_message.hpp"
#include "server/net/result.hpp"

namespace verbatim::net {

using RequestHead = boost::beast::http::request_header<>;

/// The request without its body and the peer's address, or the refusal. `parser` has read the head
/// and nothing behind it.
Result<HttpRequest> read_head(const RequestHead& head,
                              const boost::beast::http::basic_parser<true>& parser);

/// The path of a request whose head could not be read, as far as the received `bytes` show it;
/// otherwise empty. Use it only to choose the form of the refusal.
std::string path_of_unreadable(const RequestHead& head, std::string_view bytes);

/// Whether a request that is refused by its head, of which parts may be missing, was an attempt to
/// open a WebSocket. Use it only to log the refusal.
bool seems_to_ask_for_websocket(const RequestHead& head, std::string_view path);

/// Refuses a body that cannot be read although its head is valid: an unknown content coding or
/// expectation (RFC 9110, sections 8.4 and 10.1.1).
std::optional<HttpResponse> refuse_body(const HttpRequest& request);

/// Whether the client waits for `100 Continue` before it sends the body.
bool expects_continue(const HttpRequest& request);

}  // namespace verbatim::net
