// Looks at every file and folder that a start would open, and changes none: certificates and keys,
// the data folder with its files, their owners and modes, the store. Files that the configuration
// reads itself (secrets, templates) are checked when it is loaded.
//
// On the caller's thread, also while a server runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "config/settings.hpp"

namespace verbatim::app {

/// One thing that is wrong, or that should be changed.
struct Finding {
  bool is_error = true;  ///< the start fails, or clients cannot connect; else: a warning
  std::string where;     ///< the key, and the file if there is one
  std::string what;
  std::string advice;  ///< a sentence: what to do
};
using Findings = std::vector<Finding>;

/// The day of a time in seconds since 1970: 2026-11-23.
std::string day_of(std::int64_t seconds);

/// One text: the place, the fault, the advice.
std::string in_words(const Finding& finding);

/// `wall`: the present time, for certificates.
Findings check_start(const config::Settings& settings, TimeMs wall);

// Its parts. Each appends to `findings`.
void check_certificates(const config::Settings& settings, TimeMs wall, Findings& findings);
void check_folders(const config::Settings& settings, Findings& findings);

/// The folder's nearest ancestor that exists; the folder itself if it does.
std::filesystem::path existing_part(const std::filesystem::path& folder);

}  // namespace verbatim::app
