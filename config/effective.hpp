// The effective configuration for people: what is wrong with it, and what it is, with secrets
// masked. Printing is pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/settings.hpp"

namespace verbatim::config {

enum class Shown {
  all,
  changed,  ///< only keys with another value than their default
};

/// Like to_toml() and to_json() of settings.hpp, for the keys that `shown` selects.
std::string to_toml(const Settings& settings, Shown shown);
std::string to_json(const Settings& settings, Shown shown);

/// Like load(), but appends all that is wrong to `wrong` instead of throwing; those keys then have
/// their defaults.
Settings load_what_is_right(const Sources& sources, std::vector<std::string>& wrong);

}  // namespace verbatim::config
