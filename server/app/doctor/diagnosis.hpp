// `verbatim doctor`: examines the machine, the relay and its provider, in plain words.
//
// On the caller's thread, also while a relay runs. It changes nothing, and makes no conversation.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace verbatim::app {

enum class Health {
  good,
  warning,  ///< works, but should be changed
  bad,      ///< does not work
};
std::string_view to_string(Health health);

struct Diagnosis {
  std::string
      subject;  ///< ports, tls, provider, bucket, disk, space, clock, limits, configuration, relay
  Health health = Health::good;
  std::string what;
  std::string advice;  ///< a sentence: what to do; empty if nothing
};
using Diagnoses = std::vector<Diagnosis>;

/// The relay that is examined.
struct Examined {
  const config::Settings& settings;
  bool served = false;         ///< a process holds the data folder
  std::optional<pid_t> relay;  ///< that process, if it could be found
};
Examined examined(const config::Settings& settings);

// Each appends to `found`.
void examine_files(const Examined& relay, Diagnoses& found);
void examine_ports(const Examined& relay, Diagnoses& found);
void examine_tls(const Examined& relay, Diagnoses& found);
/// Asks the provider for its list of models with the configured key: free of charge, and refused
/// without a valid key.
void examine_provider(const Examined& relay, Diagnoses& found);
/// Asks the bucket for recordings, if one is configured, for a list: it changes nothing there.
void examine_bucket(const Examined& relay, Diagnoses& found);
void examine_disk(const Examined& relay, Diagnoses& found);
void examine_space(const Examined& relay, Diagnoses& found);
void examine_clock(const Examined& relay, Diagnoses& found);
void examine_limits(const Examined& relay, Diagnoses& found);

}  // namespace verbatim::app
