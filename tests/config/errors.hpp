// Settings that are refused, and the text of the error.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/settings.hpp"

namespace verbatim::config {

/// The error's text; empty if the settings are accepted.
inline std::string error_of(const Sources& sources) {
  try {
    load(sources);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

inline std::string error_with(std::vector<std::string> assignments,
                              std::vector<std::string> environment = {}) {
  return error_of({{}, std::move(assignments), std::move(environment)});
}

}  // namespace verbatim::config
