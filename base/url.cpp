#include "base/url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/ascii.hpp"

namespace verbatim {

namespace {

constexpr std::string_view bad_port = "has a port that is not a number from 0 to 65535";

tl::unexpected<std::string_view> fault(std::string_view what) { return tl::unexpected(what); }

constexpr std::string_view letters_and_digits =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool is_one_of(char c, std::string_view characters) {
  return characters.find(c) != std::string_view::npos;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = lower_case(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Whether the text has only RFC 3986's unreserved characters and sub-delimiters, `others`, and
/// percent-encoded bytes.
bool consists_of(std::string_view text, std::string_view others) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
        return false;
      i += 2;
    } else if (!is_one_of(text[i], letters_and_digits) && !is_one_of(text[i], "-._~!$&'()*+,;=") &&
               !is_one_of(text[i], others)) {
      return false;
    }
  }
  return true;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_one_of(text.front(), letters_and_digits.substr(0, 52)) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_one_of(c, letters_and_digits) || is_one_of(c, "+-.");
         });
}

bool is_port(std::string_view text) {
  std::uint16_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return text.empty() || (error == std::errc{} && rest == end);
}

bool is_ipv6(const std::string& text) {
  in6_addr address;
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

/// Takes the part of `text` before the first of `ends`, or all of it.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  const std::string_view part = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(part.size());
  return part;
}

}  // namespace

// Boost.URL 1.81 is not used. Of `http://a@b@c` it reads the host b; it refuses the host
// 127.0.0.1.example; and `https:?` ends the process by an assertion.
UrlResult<Url> parse_authority(std::string_view text) {
  Url parts;
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    const std::string_view user = text.substr(0, at);
    text.remove_prefix(at + 1);
    if (is_one_of('@', text)) return fault("has more than one @; write %40 in a user or password");
    if (!consists_of(user, ":"))
      return fault("has a character in the user or password that must be written as %XX");
    parts.user_info = percent_decoded(user, false);
  }
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return fault("has no ] after the address");
    parts.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!is_ipv6(parts.host)) return fault("has no IPv6 address between [ and ]");
    if (!text.empty() && text.front() != ':')
      return fault("has something other than :port after the address");
  } else {
    parts.host = take_until(text, ":");
    if (std::count(text.begin(), text.end(), ':') > 1)
      return fault("has more than one colon; write an IPv6 address in brackets");
    if (!consists_of(parts.host, {}))
      return fault("has a character in the host that is not valid in a host name");
  }
  if (!text.empty()) text.remove_prefix(1);
  if (!is_port(text)) return fault(bad_port);
  parts.port = text;
  return parts;
}

UrlResult<Url> parse_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon)))
    return fault("has no scheme://");
  if (is_one_of(' ', text)) return fault("contains a space");
  const std::string_view scheme = text.substr(0, colon);
  text.remove_prefix(colon + 3);
  UrlResult<Url> parts = parse_authority(take_until(text, "/?#"));
  if (!parts) return parts;
  parts->scheme = lower_case(scheme);
  parts->path = take_until(text, "?#");
  parts->query = take_until(text, "#");
  parts->fragment = text;
  const bool good = consists_of(parts->path, ":@/") && consists_of(parts->query, ":@/?") &&
                    consists_of(text.substr(text.empty() ? 0 : 1), ":@/?");
  if (!good) return fault("has a character after the host that RFC 3986 does not allow there");
  return parts;
}

bool is_host(std::string_view host) {
  if (host.find(':') != std::string_view::npos) return true;
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return is_one_of(c, letters_and_digits) || is_one_of(c, "-._");
  });
}

std::string authority(std::string_view host, std::string_view port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  std::string out = v6 ? "[" + std::string(host) + "]" : std::string(host);
  if (!port.empty()) out.append(":").append(port);
  return out;
}

std::optional<Address> parse_address(std::string_view text) {
  const auto url = parse_url(text);
  if (!url || !is_host(url->host)) return std::nullopt;
  const bool tls = url->scheme == "wss" || url->scheme == "https";
  if (!tls && url->scheme != "ws" && url->scheme != "http") return std::nullopt;
  return Address{tls, url->host, url->port.empty() ? (tls ? "443" : "80") : url->port,
                 (url->path.empty() ? "/" : url->path) + url->query,
                 url->user_info.value_or(std::string())};
}

std::string shown_address(const std::string& url) {
  const auto address = parse_address(url);
  if (!address) return {};
  return url.substr(0, url.find("://") + 3) + authority(address->host, address->port) +
         address->target.substr(0, address->target.find('?'));
}

std::string without_password(std::string_view text) {
  const auto url = parse_url(text);
  if (!url) return {};
  if (!is_one_of(':', url->user_info.value_or(""))) return std::string(text);
  const std::size_t at = text.find('@');
  const std::size_t colon = text.find(':', text.find("://") + 3);
  return std::string(text.substr(0, colon + 1)) + "***" + std::string(text.substr(at));
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

std::string percent_encoded(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_one_of(c, letters_and_digits) || is_one_of(c, "-._~")) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
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
