#include "config/database_url.hpp"

#include <algorithm>
#include <array>

#include "base/url.hpp"
#include "config/values.hpp"

namespace verbatim::config {
namespace {

constexpr std::array<std::string_view, 3> secret_parameters = {"password", "sslpassword",
                                                               "passfile"};

/// Cuts the text before the first of the characters `ends` off `rest`; all of it if none is there.
std::string_view cut(std::string_view& rest, std::string_view ends) {
  const std::size_t at = std::min(rest.find_first_of(ends), rest.size());
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at);
  return part;
}

std::string decoded(std::string_view text) {
  auto plain = percent_decoded(text, false);
  if (!plain) throw BadValue("has a % that two hexadecimal digits do not follow");
  if (plain->find('\0') != std::string::npos) throw BadValue("has a zero byte");
  return *std::move(plain);
}

void require_host(std::string_view written) {
  const auto parts = parse_authority(written);
  if (!parts) throw BadValue(std::string(parts.error()));
  // A folder of sockets is written with %2F.
  if (!parts->host.empty() && !is_host(parts->host) && decoded(parts->host).front() != '/')
    throw BadValue("has a character in the host that is not valid in a host name");
}

std::vector<std::string> read_hosts(std::string_view list) {
  std::vector<std::string> hosts;
  while (!list.empty()) {
    const std::string_view one = cut(list, ",");
    require_host(one);
    hosts.emplace_back(one);
    if (!list.empty()) list.remove_prefix(1);
  }
  return hosts;
}

/// `written`: a part of `text`, the URL.
void note_secret(std::string_view text, std::string_view written, DatabaseUrl& url) {
  if (written.empty()) return;
  url.written_secrets.emplace_back(written);
  url.secret_places.push_back(static_cast<std::size_t>(written.data() - text.data()));
}

void read_user(std::string_view text, std::string_view info, DatabaseUrl& url) {
  const std::string_view user = cut(info, ":");
  url.user = decoded(user);
  if (info.empty()) return;
  info.remove_prefix(1);
  url.password = decoded(info);
  note_secret(text, info, url);
}

void read_parameters(std::string_view text, std::string_view query, DatabaseUrl& url) {
  while (!query.empty()) {
    query.remove_prefix(1);  // '?' or '&'
    std::string_view one = cut(query, "&");
    const std::string name = decoded(cut(one, "="));
    if (one.empty() || name.empty()) throw BadValue("has a parameter that is not name=value");
    one.remove_prefix(1);
    url.parameters.emplace_back(name, decoded(one));
    if (std::find(secret_parameters.begin(), secret_parameters.end(), name) !=
        secret_parameters.end())
      note_secret(text, one, url);
  }
}

}  // namespace

std::optional<std::string> DatabaseUrl::parameter(std::string_view wanted) const {
  for (const auto& [parameter, value] : parameters)
    if (parameter == wanted) return value;
  return std::nullopt;
}

std::vector<std::string> DatabaseUrl::secrets() const {
  std::vector<std::string> all = written_secrets;
  for (const std::string& written : written_secrets) all.push_back(decoded(written));
  return all;
}

DatabaseUrl parse_database_url(std::string_view text) {
  require_plain_text(text);
  DatabaseUrl url;
  std::string_view rest = text;
  const bool known = rest.starts_with("postgresql://") || rest.starts_with("postgres://");
  if (!known) throw BadValue("does not begin with postgresql://");
  if (rest.find_first_of(" #") != rest.npos)
    throw BadValue("has a blank or a #: write %20 and %23");
  rest.remove_prefix(rest.find("://") + 3);
  std::string_view authority = cut(rest, "/?");
  if (const std::size_t at = authority.rfind('@'); at != authority.npos) {
    read_user(text, authority.substr(0, at), url);
    authority.remove_prefix(at + 1);
  }
  url.hosts = read_hosts(authority);
  if (rest.starts_with('/')) {
    rest.remove_prefix(1);
    url.name = decoded(cut(rest, "?"));
  }
  read_parameters(text, rest, url);
  if (url.hosts.empty() && !url.parameter("host") && !url.parameter("hostaddr"))
    throw BadValue("has no host");
  return url;
}

std::string masked_database_url(std::string_view text) {
  if (text.empty()) return {};
  std::string shown(text);
  const DatabaseUrl url = parse_database_url(text);
  for (std::size_t i = url.secret_places.size(); i-- > 0;)
    shown.replace(url.secret_places[i], url.written_secrets[i].size(), "***");
  return shown;
}

}  // namespace verbatim::config
