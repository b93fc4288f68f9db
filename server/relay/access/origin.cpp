#include "server/relay/access/origin.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/url.hpp"

namespace verbatim::access {

std::optional<std::string> normal_origin(std::string_view text) {
  if (text.ends_with(':')) return std::nullopt;  // an origin has a port or none
  const auto url = parse_url(text);
  if (!url || url->user_info || !url->path.empty() || !url->query.empty() || !url->fragment.empty())
    return std::nullopt;
  const bool known = url->scheme == "http" || url->scheme == "https";
  // Apps have their own schemes, whose hosts follow no common rule.
  if (known && !is_host(url->host)) return std::nullopt;
  const bool usual = known && url->port == (url->scheme == "https" ? "443" : "80");
  return url->scheme + "://" + authority(lower_case(url->host), usual ? "" : url->port);
}

OriginRules::OriginRules(const std::vector<std::string>& allowed, const std::string& public_url) {
  for (const std::string& one : allowed)
    if (auto normal = normal_origin(one)) allowed_.push_back(std::move(*normal));
  const std::size_t scheme_end = public_url.find("://");
  if (scheme_end == std::string::npos) return;
  public_ = normal_origin(public_url.substr(0, public_url.find('/', scheme_end + 3)));
}

bool OriginRules::names(const net::HttpRequest& request) const {
  const auto origin = normal_origin(request.header("Origin"));
  return origin && std::find(allowed_.begin(), allowed_.end(), *origin) != allowed_.end();
}

bool OriginRules::admit(const net::HttpRequest& request) const {
  const std::string_view shown = request.header("Origin");
  if (shown.empty()) return true;
  const auto origin = normal_origin(shown);
  if (!origin) return false;
  const auto own = normal_origin((request.secure ? "https://" : "http://") +
                                 std::string(request.header("Host")));
  return origin == own || origin == public_ || names(request);
}

}  // namespace verbatim::access
