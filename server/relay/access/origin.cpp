#include "server/relay/access/origin.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace verbatim::server {

namespace {

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Whether `text` is a host name, an IPv4 address, or an IPv6 address in brackets.
bool is_host(std::string_view text) {
  const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  if (bracketed) text = text.substr(1, text.size() - 2);
  return !text.empty() && std::all_of(text.begin(), text.end(), [bracketed](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           (bracketed ? c == ':' : c == '-' || c == '_');
  });
}

}  // namespace

std::optional<std::string> normal_origin(std::string_view text) {
  std::string origin = lower_case(text);
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == std::string::npos) return std::nullopt;
  const std::string scheme = origin.substr(0, scheme_end);
  const bool known = scheme == "http" || scheme == "https";
  const bool is_name = !scheme.empty() && std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
  if (!is_name) return std::nullopt;
  std::string host = origin.substr(scheme_end + 3);
  std::string port;
  const std::size_t colon = host.find(':', host.starts_with('[') ? host.find(']') : 0);
  if (colon != std::string::npos) {
    port = host.substr(colon + 1);
    host.resize(colon);
    if (!is_number(port)) return std::nullopt;
  }
  // Apps have their own schemes, whose hosts follow no common rule.
  if (known ? !is_host(host) : host.find_first_of("/?#@ ") != std::string::npos)
    return std::nullopt;
  if (known && port == (scheme == "https" ? "443" : "80")) port.clear();
  return scheme + "://" + host + (port.empty() ? "" : ":" + port);
}

OriginRules::OriginRules(const std::vector<std::string>& allowed, const std::string& public_url) {
  for (const std::string& one : allowed)
    if (auto normal = normal_origin(one)) allowed_.push_back(std::move(*normal));
  const std::size_t scheme_end = public_url.find("://");
  if (scheme_end == std::string::npos) return;
  public_ = normal_origin(public_url.substr(0, public_url.find('/', scheme_end + 3)));
}

bool OriginRules::names(const HttpRequest& request) const {
  const auto origin = normal_origin(request.header("Origin"));
  return origin && std::find(allowed_.begin(), allowed_.end(), *origin) != allowed_.end();
}

bool OriginRules::admit(const HttpRequest& request) const {
  const std::string_view shown = request.header("Origin");
  if (shown.empty()) return true;
  const auto origin = normal_origin(shown);
  if (!origin) return false;
  const auto own = normal_origin((request.secure ? "https://" : "http://") +
                                 std::string(request.header("Host")));
  return origin == own || origin == public_ || names(request);
}

}  // namespace verbatim::server
