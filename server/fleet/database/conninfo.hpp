// The parameters of a connection to the fleet's database: fleet.url, and what a relay adds to it.
// Pure, but looks for the file of the system's authorities.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/settings.hpp"

namespace verbatim::database {

/// Keywords and values of libpq. Later ones win.
struct Conninfo {
  std::vector<std::pair<std::string, std::string>> pairs;

  /// Both end with a null, as libpq expects. They point into `pairs`.
  std::vector<const char*> keywords() const;
  std::vector<const char*> values() const;
  /// Empty if the keyword is not set.
  std::string value_of(const std::string& keyword) const;
};

/// The hosts of fleet.url, each tried by itself with its own time. One empty name: the URL has its
/// host in a parameter.
std::vector<std::string> members_of(const config::Fleet& settings);
Conninfo conninfo(const config::Fleet& settings, const std::string& member,
                  const std::string& application);

}  // namespace verbatim::database
