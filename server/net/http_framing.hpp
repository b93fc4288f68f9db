// What RFC 9110 and RFC 9112 demand of a request's head beyond its grammar, which Beast's parser
// checks: whom the request is for, where its body ends, what the client expects.
//
// A head that two readers could understand differently is refused, since a proxy in front of us may
// have understood it the other way (request smuggling). After a refusal the connection must be
// closed: nobody knows where the next request begins.
#pragma once

#include <string_view>
#include <variant>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/message.hpp>

#include "server/net/http_message.hpp"

namespace verbatim::server {

using RequestHead = boost::beast::http::request_header<>;

/// The request without its body and without the peer's address, or the refusal. `parser`: has read
/// the head and nothing behind it.
std::variant<HttpRequest, HttpResponse> read_head(
    const RequestHead& head, const boost::beast::http::basic_parser<true>& parser);

/// The path of a request whose head could not be read, as far as it can be made out in the `bytes`
/// that came; else empty. It chooses only the form of the refusal.
std::string path_of_unreadable(const RequestHead& head, std::string_view bytes);

/// What keeps a body from being read although its head is fine: a coding that is not spoken here,
/// an expectation that is not known (RFC 9110, 8.4 and 10.1.1).
std::optional<HttpResponse> refuse_body(const HttpRequest& request);

/// The client waits for `100 Continue` before it sends its body.
bool expects_continue(const HttpRequest& request);

}  // namespace verbatim::server
