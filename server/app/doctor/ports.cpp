// Examines the addresses that the relay listens on, and its certificate.
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "config/values.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/doctor/diagnosis.hpp"
#include "server/app/health_check.hpp"
#include "server/app/start_check.hpp"
#include "server/net/certificate.hpp"

namespace verbatim::app {

namespace {

constexpr auto answer_within = std::chrono::seconds(4);

/// Binds the address for a moment. Returns 0, or the errno of the failure.
int try_to_bind(const Endpoint& address, std::string& why) {
  addrinfo wanted{};
  wanted.ai_flags = AI_PASSIVE;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const int unknown =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &wanted, &first);
  if (unknown != 0) {
    why = ::gai_strerror(unknown);
    return EADDRNOTAVAIL;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> found(first, ::freeaddrinfo);
  const int handle = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (handle < 0) return errno;
  const int yes = 1;
  ::setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool bound =
      ::bind(handle, found->ai_addr, found->ai_addrlen) == 0 && ::listen(handle, 1) == 0;
  const int failed = bound ? 0 : errno;
  ::close(handle);
  why = std::strerror(failed);
  return failed;
}

std::string advice_for(int error, const std::string& key) {
  switch (error) {
    case EADDRINUSE:
      return "Stop the program that uses it (ss -ltnp shows it), or set another " + key + ".";
    case EACCES:
      return "Ports below 1024 need a privilege: set AmbientCapabilities=CAP_NET_BIND_SERVICE in "
             "the unit, or use a higher port behind a proxy.";
    default:
      return "Set " + key + " to an address of this machine.";
  }
}

void examine_free_port(const std::string& key, const Endpoint& address, Diagnoses& found) {
  const std::string shown = config::print_endpoint(address);
  std::string why;
  const int failed = try_to_bind(address, why);
  if (failed == 0)
    found.push_back({"ports", Health::good, key + ": " + shown + " is free", ""});
  else
    found.push_back({"ports", Health::bad, key + ": cannot listen on " + shown + ": " + why,
                     advice_for(failed, key)});
}

void examine_served_port(const std::string& key, const std::string& url, Diagnoses& found) {
  const HealthAnswer answer = ask_health(url, answer_within);
  if (answer.status == 200) {
    found.push_back({"ports", Health::good, key + ": the relay answers at " + url, ""});
  } else if (answer.status != 0) {
    found.push_back({"ports", Health::bad,
                     key + ": the relay answers at " + url + " with " +
                         std::to_string(answer.status) + ": " + answer.detail,
                     "docs/troubleshooting.md explains each check of /readyz."});
  } else {
    found.push_back({"ports", Health::bad,
                     key + ": a relay holds the data directory, but " + url +
                         " does not answer: " + answer.detail,
                     "Call doctor with the configuration of that relay (--config, --set)."});
  }
}

}  // namespace

void examine_ports(const Examined& relay, Diagnoses& found) {
  const config::Settings& settings = relay.settings;
  const auto examine = [&](const std::string& key, const Endpoint& address, bool tls) {
    if (address.host.empty()) return;
    if (address.port == 0)
      found.push_back({"ports", Health::good, key + ": port 0 picks a free port", ""});
    else if (relay.served)
      examine_served_port(key, readiness_url(address, tls), found);
    else
      examine_free_port(key, address, found);
  };
  examine("server.listen", settings.server.listen, settings.tls.enabled);
  examine("metrics.listen", settings.metrics.listen, false);
}

void examine_tls(const Examined& relay, Diagnoses& found) {
  const config::Tls& tls = relay.settings.tls;
  if (!tls.enabled) {
    found.push_back({"tls", Health::good, "TLS is off: a proxy in front must speak TLS", ""});
    return;
  }
  const bool own = tls.cert_file.empty();
  const auto file = own ? own_certificate_in(relay.settings.server.data_dir) : tls.cert_file;
  const auto certificate = net::CertificateFile::read(file);
  if (!certificate) {
    // A configured file that cannot be read is a finding of the configuration.
    if (own)
      found.push_back({"tls", Health::good, "the start makes a certificate for this machine", ""});
    return;
  }
  const std::string until = " is valid until " + day_of(certificate->valid_until());
  if (own) {
    found.push_back({"tls", Health::good,
                     "the relay's own certificate" + until + "; only this machine can use it",
                     "For other machines set tls.cert_file and tls.key_file."});
  } else if (certificate->is_self_signed()) {
    found.push_back({"tls", Health::warning,
                     file.string() + " is self-signed: browsers refuse it without an exception",
                     "Get a certificate from an authority, or add this one to the clients."});
  } else {
    found.push_back({"tls", Health::good, file.string() + until, ""});
  }
}

}  // namespace verbatim::app
