// HTTP as the rest of this folder sees it: plain values. Beast stays in http_connection.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace verbatim::server {

class BodySource;

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string target;                                      ///< as it came, query included
  std::string path;                                        ///< decoded
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in order
  HeaderList headers;
  std::string body;
  std::string remote;    ///< the client's address, for logs and limits (server/net/proxies.hpp)
  bool secure = false;   ///< the client speaks TLS, to us or to a trusted proxy
  bool proxied = false;  ///< a proxy stands between, or it says so
  bool upgrade = false;  ///< asks for a WebSocket

  /// The header of this name, whatever its case; empty if there is none. What stood on several
  /// lines is joined.
  std::string_view header(std::string_view name) const;
  /// First query parameter of this name.
  std::optional<std::string_view> parameter(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  HeaderList headers;
  std::shared_ptr<BodySource> source;  ///< makes the body while it is sent; null: it is `body`
  /// Its part of the memory of all answers (server/net/answer_memory); null: none has been taken.
  std::shared_ptr<void> memory;
};

/// All that any path accepts, for the header Allow.
inline constexpr const char* all_methods = "GET, HEAD, POST, PATCH, DELETE, OPTIONS";

/// Splits and decodes `target` into path and query. False if it is not a valid path. A slash at the
/// end of a path makes no difference.
bool parse_target(std::string_view target, HttpRequest& into);

/// RFC 9457.
HttpResponse problem(int status, std::string_view title, std::string_view detail);

/// The provider's shape, for what happens before an upgrade and for client_secrets.
HttpResponse openai_error(int status, std::string_view code, std::string_view message);

/// The provider's own paths: /v1/realtime and what is below it.
bool is_realtime_path(std::string_view path);

/// Comma-separated list members without the white space around them.
std::vector<std::string> split_list(std::string_view value);
bool equals_ignore_case(std::string_view a, std::string_view b);

}  // namespace verbatim::server
