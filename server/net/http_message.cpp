#include "server/net/http_message.hpp"

#include <algorithm>
#include <cctype>

#include "base/ascii.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "base/url.hpp"

namespace verbatim::net {

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// A stable name to compare and to search for: "not found" -> "urn:verbatim:problem:not-found".
std::string type_of(std::string_view title) {
  std::string name = lower_case(title);
  for (char& c : name) {
    if (c == ' ' || c == '_') c = '-';
  }
  return "urn:verbatim:problem:" + name;
}

}  // namespace

bool equals_ignore_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignore_case(key, name)) return value;
  }
  return {};
}

std::optional<std::string_view> HttpRequest::parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

bool parse_target(std::string_view target, HttpRequest& into) {
  into.target = target;
  into.query.clear();
  if (target.empty() || target.front() != '/') return false;
  const std::size_t mark = target.find('?');
  std::string_view encoded = target.substr(0, mark);
  if (encoded.size() > 1 && encoded.ends_with('/')) encoded.remove_suffix(1);
  auto path = percent_decoded(encoded, false);
  if (!path) return false;
  into.path = std::move(*path);
  if (mark == std::string_view::npos) return true;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto key = percent_decoded(pair.substr(0, equals), true);
    auto value = percent_decoded(
        equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!key || !value) return false;
    into.query.emplace_back(std::move(*key), std::move(*value));
  }
  return true;
}

HttpResponse problem(int status, std::string_view title, std::string_view detail) {
  HttpResponse response;
  response.status = status;
  response.content_type = problem_content_type;
  response.body =
      dump({{"type", type_of(title)}, {"title", title}, {"status", status}, {"detail", detail}});
  return response;
}

HttpResponse openai_error(int status, std::string_view code, std::string_view message) {
  const char* type = status >= 500                    ? "server_error"
                     : status == 401 || status == 403 ? "authentication_error"
                     : status == 429                  ? "rate_limit_error"
                                                      : "invalid_request_error";
  HttpResponse response;
  response.status = status;
  response.body =
      dump({{"error", {{"type", type}, {"code", code}, {"message", message}, {"param", nullptr}}}});
  return response;
}

bool is_realtime_path(std::string_view path) {
  constexpr std::string_view root = "/v1/realtime";
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

std::vector<std::string> split_list(std::string_view value) {
  std::vector<std::string> members;
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view member = trim(value.substr(0, comma));
    if (!member.empty()) members.emplace_back(member);
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
  }
  return members;
}

}  // namespace verbatim::net
