// Reads and checks secrets from files and variables, and checks who else may read a secret's file.
//
// A rejected secret throws BadValue. The message repeats neither the secret nor the path, because
// the path may be the secret itself in the wrong place.
#pragma once

#include <filesystem>
#include <string>

#include "config/settings.hpp"

namespace verbatim::config {

/// Returns the secret without the line break at its end. Throws if it is too short or too long, or
/// has a byte order mark, blanks, control characters or quotes around it. Such characters are hard
/// to see in an editor, and a provider would answer 401. `several`: one secret a line.
Secret checked_secret(std::string text, bool several = false);
/// Follows symbolic links, because certificate tools and Kubernetes make them.
Secret read_secret_file(const std::filesystem::path& path, bool several = false);

/// Describes what is wrong with the owner or the mode of the file at the path. Empty if nothing is
/// wrong or there is no file.
std::string secret_file_warning(const std::filesystem::path& path);

}  // namespace verbatim::config
