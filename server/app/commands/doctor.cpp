// verbatim doctor
#include <algorithm>
#include <iostream>

#include "base/json/tree.hpp"
#include "config/effective.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/doctor/diagnosis.hpp"
#include "server/relay/access/configured_secrets.hpp"
#include "server/relay/access/misplaced_secret.hpp"

namespace verbatim::app {

namespace {

/// As the log: neither a key's form nor a configured secret is printed.
void hide_secrets(const config::Settings& settings, Diagnoses& found) {
  const Log::Redact redact = access::redaction_of(
      std::make_shared<const protocol::SecretFilter>(access::secrets_of(settings)));
  for (Diagnosis& one : found) one.what = redact(std::move(one.what));
}

Diagnoses examine_all(const config::Settings& settings) {
  const Examined relay = examined(settings);
  Diagnoses found;
  const std::string process = relay.relay ? " (process " + std::to_string(*relay.relay) + ")" : "";
  found.push_back({"relay", Health::good,
                   relay.served ? "a relay uses " + settings.server.data_dir.string() + process
                                : "no relay uses " + settings.server.data_dir.string(),
                   ""});
  for (const auto examine :
       {examine_files, examine_ports, examine_tls, examine_provider, examine_bucket, examine_disk,
        examine_space, examine_clock, examine_limits})
    examine(relay, found);
  return found;
}

void print_words(const Diagnoses& found) {
  constexpr std::size_t health_width = 9;
  for (const Diagnosis& one : found) {
    std::string health(to_string(one.health));
    health.resize(health_width, ' ');
    std::cout << health << one.subject << ": " << one.what << "\n";
    if (!one.advice.empty()) std::cout << std::string(health_width, ' ') << one.advice << "\n";
  }
}

void print_json(const Diagnoses& found, bool healthy) {
  Json checks = Json::array();
  for (const Diagnosis& one : found)
    checks.push_back({{"subject", one.subject},
                      {"health", to_string(one.health)},
                      {"what", one.what},
                      {"advice", one.advice.empty() ? Json() : Json(one.advice)}});
  print({{"healthy", healthy}, {"checks", checks}});
}

int doctor(const Common& common) {
  std::vector<std::string> wrong;
  const config::Settings settings = config::load_what_is_right(common.sources(), wrong);
  Diagnoses found;
  for (std::string& one : wrong)
    found.push_back(
        {"configuration", Health::bad, std::move(one), "Correct it, then start again."});
  for (Diagnosis& one : examine_all(settings)) found.push_back(std::move(one));
  hide_secrets(settings, found);
  const auto count = [&](Health health) {
    return static_cast<std::size_t>(std::count_if(
        found.begin(), found.end(), [&](const Diagnosis& one) { return one.health == health; }));
  };
  const bool healthy = count(Health::bad) == 0;
  if (common.as_json) {
    print_json(found, healthy);
  } else {
    print_words(found);
    std::cout << count(Health::bad) << " problems, " << count(Health::warning) << " warnings\n";
  }
  if (!wrong.empty()) return exit_code::bad_usage;
  return healthy ? exit_code::ok : exit_code::failed;
}

}  // namespace

Family doctor_commands() {
  return {"",
          "",
          {command("doctor", "examine the relay, its machine and its provider in plain words",
                   doctor)}};
}

}  // namespace verbatim::app
