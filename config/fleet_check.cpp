#include "config/fleet_check.hpp"

#include <algorithm>

#include "config/database_url.hpp"
#include "config/values.hpp"

namespace verbatim::config {
namespace {

std::string longer_than(milliseconds value, const char* other, milliseconds limit) {
  return print_duration(value) + " is longer than " + other + ", which is " + print_duration(limit);
}

/// `localhost`, `127.0.0.1:5432`, `[::1]` or a folder of sockets.
bool is_local(const std::string& written) {
  const auto parts = parse_authority(written);
  if (!parts) return false;
  return is_of_this_machine(parts->host) || parts->host.starts_with("%2F") ||
         parts->host.starts_with("%2f");
}

bool all_are_local(const DatabaseUrl& url) {
  if (const auto host = url.parameter("host"); host && !host->starts_with('/')) return false;
  if (url.parameter("hostaddr")) return false;
  return std::all_of(url.hosts.begin(), url.hosts.end(), is_local);
}

}  // namespace

std::vector<Contradiction> contradictions_of_fleet(const Settings& settings) {
  const Fleet& fleet = settings.fleet;
  std::vector<Contradiction> found;
  const auto add = [&found](const char* key, const char* other, std::string what) {
    found.push_back({key, other, std::move(what)});
  };
  if (fleet.retry_min > fleet.retry_max)
    add("fleet.retry_min", "fleet.retry_max",
        longer_than(fleet.retry_min, "fleet.retry_max", fleet.retry_max));
  if (2 * fleet.lease_ttl > fleet.dead_after)
    add("fleet.dead_after", "fleet.lease_ttl",
        print_duration(fleet.dead_after) + " is shorter than two times fleet.lease_ttl, which is " +
            print_duration(fleet.lease_ttl) + ": a relay that is only slow would count as dead");
  if (fleet.lease_ttl > fleet.keep_shipped)
    add("fleet.keep_shipped", "fleet.lease_ttl",
        print_duration(fleet.keep_shipped) + " is shorter than fleet.lease_ttl, which is " +
            print_duration(fleet.lease_ttl) +
            ": a replica that takes over could lack what is gone");
  if (fleet.url.empty()) {
    if (fleet.ship == Ship::before)
      add("fleet.ship", "fleet.url", "is before, but there is no database: set fleet.url");
    if (!fleet.peer_url.empty())
      add("fleet.peer_url", "fleet.url", "is set, but there is no database: set fleet.url");
    return found;
  }
  if (!fleet.peer_url.empty() && settings.auth.token_secret.empty())
    add("fleet.peer_url", "auth.token_secret",
        "is set without auth.token_secret_file: relays know each other, and the tokens of clients, "
        "by this secret, which must be the same on all of them");
  // Its files and their index stay at one relay: another one could neither show nor erase them.
  if (settings.recording.enabled != Record::no)
    add("recording.enabled", "fleet.url", "is not `no`: a fleet does not ship recordings");
  if (fleet.ship == Ship::before && settings.testing.forward_before_commit)
    add("fleet.ship", "testing.forward_before_commit",
        "is before, but testing.forward_before_commit sends text on before it is stored anywhere");
  return found;
}

void warn_of_unverified_database(Settings& settings) {
  if (settings.fleet.url.empty()) return;
  const DatabaseUrl url = parse_database_url(settings.fleet.url.reveal());
  const std::string mode = url.parameter("sslmode").value_or("verify-full");
  if (mode == "verify-full" || all_are_local(url)) return;
  const bool clear = mode == "disable" || mode == "allow" || mode == "prefer";
  settings.warnings.push_back("fleet.url: sslmode=" + mode +
                              (clear ? " may send conversations and the database's password "
                                       "unencrypted; use verify-full"
                                     : " does not verify the name of the database's host; use "
                                       "verify-full and fleet.ca_file"));
}

}  // namespace verbatim::config
