#include "base/url.hpp"

#include <algorithm>

namespace verbatim {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Address> parse_address(const std::string& url) {
  Address out;
  std::string_view rest = url;
  const std::size_t scheme_end = rest.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = rest.substr(0, scheme_end);
  if (scheme == "wss" || scheme == "https") {
    out.tls = true;
  } else if (scheme != "ws" && scheme != "http") {
    return std::nullopt;
  }
  rest.remove_prefix(scheme_end + 3);
  const std::size_t path = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, path);
  out.target = path == std::string_view::npos ? "/" : std::string(rest.substr(path));
  if (out.target.front() == '?') out.target.insert(out.target.begin(), '/');
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    out.user_info = std::string(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  std::size_t colon = authority.rfind(':');
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    out.host = std::string(authority.substr(1, bracket - 1));
    if (colon != std::string_view::npos && colon < bracket) colon = std::string_view::npos;
  } else {
    out.host = std::string(authority.substr(0, colon));
  }
  out.port = colon == std::string_view::npos ? (out.tls ? "443" : "80")
                                             : std::string(authority.substr(colon + 1));
  if (out.host.empty() || out.port.empty()) return std::nullopt;
  return out;
}

std::string shown_address(const std::string& url) {
  const auto address = parse_address(url);
  if (!address) return {};
  return url.substr(0, url.find("://") + 3) + address->host + ":" + address->port +
         address->target.substr(0, address->target.find('?'));
}

std::string without_parameter(const std::string& target, const std::string& name) {
  const std::size_t mark = target.find('?');
  if (mark == std::string::npos) return target;
  std::string kept;
  std::string_view rest = std::string_view(target).substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one.substr(0, one.find('=')) == name || one.empty()) continue;
    kept += kept.empty() ? '?' : '&';
    kept += one;
  }
  return target.substr(0, mark) + kept;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace verbatim
