// Settings of a fleet that are each right but contradict each other. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/settings.hpp"

namespace verbatim::config {

/// `key` is wrong because of `other`.
struct Contradiction {
  std::string key;
  std::string other;
  std::string what;  ///< follows the place of `key`
};
std::vector<Contradiction> contradictions_of_fleet(const Settings& settings);

/// Adds a warning if another machine could pose as the database.
void warn_of_unverified_database(Settings& settings);

}  // namespace verbatim::config
