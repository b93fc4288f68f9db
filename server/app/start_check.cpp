#include "server/app/start_check.hpp"

#include <exception>
#include <filesystem>
#include <system_error>

#include "server/app/credentials.hpp"
#include "server/app/fleet_shipping.hpp"
#include "server/app/store_start.hpp"
#include "server/net/certificate.hpp"
#include "server/net/tls.hpp"
#include "server/recording/keys.hpp"
#include "server/recording/track_files.hpp"
#include "server/relay/access/token_terms.hpp"
#include "server/relay/recordings.hpp"
#include "server/traces/tracer.hpp"

namespace verbatim::app {

namespace {

/// A renewal that has not happened by then has failed: certificate tools renew 30 days ahead.
constexpr std::int64_t renewal_days = 14;
constexpr std::int64_t day_s = 24 * 3600;

/// Appends an error if `step` throws. Messages of a start name the place and the advice themselves.
template <class Step>
void require(Findings& findings, Step step) {
  try {
    step();
  } catch (const std::exception& error) {
    findings.push_back({true, "", error.what(), ""});
  }
}

void check_validity(const net::CertificateFile& certificate, const std::string& where, TimeMs wall,
                    Findings& findings) {
  const std::int64_t now_s = wall / 1000;
  const std::int64_t until = certificate.valid_until();
  if (until <= now_s) {
    findings.push_back({true, where, "the certificate expired on " + day_of(until),
                        "Clients refuse it: renew it, then send SIGHUP."});
  } else if (until - now_s < renewal_days * day_s) {
    findings.push_back({false, where, "the certificate expires on " + day_of(until),
                        "Renew it, then send SIGHUP."});
  }
  if (certificate.valid_from() > now_s) {
    findings.push_back({true, where,
                        "the certificate is valid only from " + day_of(certificate.valid_from()),
                        "Check this machine's clock, or use another certificate."});
  }
}

void check_name(const config::Settings& settings, const net::CertificateFile& certificate,
                const std::string& where, Findings& findings) {
  const auto address = parse_address(settings.server.public_url);
  if (!address || !address->tls || certificate.is_for(address->host)) return;
  findings.push_back(
      {false, where,
       "the certificate is not for " + address->host + ", the host of server.public_url",
       "Get one for that name, unless a proxy in front of the relay ends TLS."});
}

/// Encrypted recordings whose key is not configured any more: they cannot be read.
void check_recording_keys(const config::Settings& settings, Findings& findings) {
  const std::filesystem::path directory = relay::recordings_dir(settings);
  const recording::MasterKeys keys(settings.recording.key);
  std::size_t sessions = 0;
  std::string first;
  std::error_code ec;
  for (std::filesystem::directory_iterator entry(directory, ec), end; !ec && entry != end;
       entry.increment(ec)) {
    const auto id = recording::session_of(entry->path());
    const auto key = id ? recording::master_key_needed(directory, *id) : std::nullopt;
    if (!key || keys.find(*key) != nullptr) continue;
    if (sessions++ == 0) first = *key;
  }
  if (sessions == 0) return;
  findings.push_back({false, "recording.dir " + directory.string(),
                      "the recordings of " + std::to_string(sessions) +
                          " sessions cannot be read: recording.key_file lacks the key " + first,
                      "Add the older key as a further line of that file."});
}

}  // namespace

std::string day_of(std::int64_t seconds) { return iso_time(seconds * 1000).substr(0, 10); }

std::string in_words(const Finding& finding) {
  std::string text = finding.where.empty() ? finding.what : finding.where + ": " + finding.what;
  if (!finding.advice.empty()) text += ". " + finding.advice;
  return text;
}

void check_certificates(const config::Settings& settings, TimeMs wall, Findings& findings) {
  if (!settings.upstream.ca_file.empty())
    require(findings, [&] { net::client_context(settings.upstream.ca_file); });
  if (!settings.bucket.ca_file.empty())
    require(findings, [&] { net::client_context(settings.bucket.ca_file); });
  require(findings, [&] { traces::require_authorities(settings.trace); });
  const config::Tls& tls = settings.tls;
  if (!tls.enabled || tls.cert_file.empty()) return;
  require(findings, [&] { net::server_context({tls.cert_file, tls.key_file}); });
  const auto certificate = net::CertificateFile::read(tls.cert_file);
  if (!certificate) return;
  const std::string where = "tls.cert_file " + tls.cert_file.string();
  check_validity(*certificate, where, wall, findings);
  check_name(settings, *certificate, where, findings);
}

Findings check_start(const config::Settings& settings, TimeMs wall) {
  Findings findings;
  for (const std::string& warning : settings.warnings) findings.push_back({false, "", warning, ""});
  require(findings, [&] { access::require_known_fields(settings); });
  require(findings, [&] { require_authentication(settings); });
  require(findings, [&] { require_safe_testing(settings); });
  require(findings, [&] { require_fleet_support(settings); });
  check_certificates(settings, wall, findings);
  check_folders(settings, findings);
  check_recording_keys(settings, findings);
  require(findings, [&] { StoreStart::require_whole(settings); });
  require(findings, [&] { StoreStart::require_own(settings); });
  return findings;
}

}  // namespace verbatim::app
