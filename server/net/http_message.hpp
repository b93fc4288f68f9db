// HTTP requests and responses as plain values, and helpers for them. Beast is used only behind
// them.
//
// Plain values: any thread. No function throws on what a peer sends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace verbatim::net {

class BodySource;

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string target;                                      ///< as received, query included
  std::string path;                                        ///< decoded
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in order
  HeaderList headers;
  std::string body;
  std::string id;        ///< X-Request-Id, or one of ours (server/net/request_id.hpp)
  std::string remote;    ///< the client's address, for logs and limits (server/net/proxies.hpp)
  bool secure = false;   ///< the client uses TLS, to this server or to a trusted proxy
  bool proxied = false;  ///< the request has passed a proxy, or claims to
  bool upgrade = false;  ///< asks for a WebSocket
  /// The session that another node of the fleet passes the request on for; empty: it came from a
  /// client. It is never passed on again.
  std::string peer_session = {};

  /// Value of the header `name`, in any case; empty if there is none. The values of several lines
  /// are joined.
  std::string_view header(std::string_view name) const;
  /// Value of the first query parameter `name`.
  std::optional<std::string_view> parameter(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  HeaderList headers;
  std::shared_ptr<BodySource> source;  ///< produces the body while it is sent; null: use `body`
  std::optional<std::uint64_t> source_bytes;  ///< length of what `source` produces, if known
  bool of_peer = false;  ///< another node of the fleet made it, in the form of its path
  /// Share of the memory of all answers (server/net/answer_memory.hpp); null: not counted.
  std::shared_ptr<void> memory;
};

/// Every method that some path accepts, for the Allow header.
inline constexpr const char* all_methods = "GET, HEAD, POST, PATCH, DELETE, OPTIONS";

/// Splits `target` into the decoded path and query of `into`. Returns false if the path is not
/// valid. A slash at the end of the path is dropped.
bool parse_target(std::string_view target, HttpRequest& into);

inline constexpr const char* problem_content_type = "application/problem+json";

/// A problem document (RFC 9457) as JSON.
HttpResponse problem(int status, std::string_view title, std::string_view detail);

/// An error in the provider's JSON form, for realtime paths and client_secrets.
HttpResponse openai_error(int status, std::string_view code, std::string_view message);

/// Whether `path` is one of the provider's: /v1/realtime or below it.
bool is_realtime_path(std::string_view path);

/// The members of a comma-separated list, without the white space around them.
std::vector<std::string> split_list(std::string_view value);
bool equals_ignore_case(std::string_view a, std::string_view b);

}  // namespace verbatim::net
