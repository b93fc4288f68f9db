#include "server/fleet/database/conninfo.hpp"

#include <openssl/x509.h>

#include <algorithm>
#include <filesystem>

#include "base/url.hpp"
#include "config/database_url.hpp"

namespace verbatim::database {
namespace {

/// libpq before version 16 has no keyword for the system's authorities: it needs the name of their
/// file.
std::string system_authorities() {
  for (const char* file : {X509_get_default_cert_file(), "/etc/ssl/certs/ca-certificates.crt",
                           "/etc/pki/tls/certs/ca-bundle.crt"}) {
    std::error_code none;
    if (std::filesystem::exists(file, none)) return file;
  }
  return {};
}

}  // namespace

std::vector<const char*> Conninfo::keywords() const {
  std::vector<const char*> all;
  for (const auto& [keyword, value] : pairs) all.push_back(keyword.c_str());
  all.push_back(nullptr);
  return all;
}

std::vector<const char*> Conninfo::values() const {
  std::vector<const char*> all;
  for (const auto& [keyword, value] : pairs) all.push_back(value.c_str());
  all.push_back(nullptr);
  return all;
}

std::string Conninfo::value_of(const std::string& wanted) const {
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair)
    if (pair->first == wanted) return pair->second;
  return {};
}

std::vector<std::string> members_of(const config::Fleet& settings) {
  auto hosts = config::parse_database_url(settings.url.reveal()).hosts;
  if (hosts.empty()) hosts.emplace_back();
  return hosts;
}

Conninfo conninfo(const config::Fleet& settings, const std::string& member,
                  const std::string& application) {
  const config::DatabaseUrl url = config::parse_database_url(settings.url.reveal());
  Conninfo info;
  const auto add = [&info](const char* keyword, std::string value) {
    if (!value.empty()) info.pairs.emplace_back(keyword, std::move(value));
  };
  // These may be replaced by a parameter of the URL.
  add("sslmode", "verify-full");
  add("sslrootcert", settings.ca_file.empty() ? system_authorities() : settings.ca_file.string());
  add("target_session_attrs", "read-write");
  add("keepalives_idle", "5");
  add("keepalives_interval", "2");
  add("keepalives_count", "3");
  add("tcp_user_timeout", std::to_string(settings.silence_max.count()));
  add("application_name", application);
  add("client_encoding", "UTF8");
  add("user", url.user);
  add("password", url.password);
  add("dbname", url.name);
  if (const auto parts = parse_authority(member); parts && !member.empty()) {
    add("host", percent_decoded(parts->host, false).value_or(parts->host));
    add("port", parts->port);
  }
  for (const auto& [keyword, value] : url.parameters) info.pairs.emplace_back(keyword, value);
  return info;
}

}  // namespace verbatim::database
