// Secrets as they are given: what a file or a variable may hold, and who else may read such a file.
//
// Reads files. A refusal is a BadValue that repeats neither the secret nor the path: a path may be
// the secret itself, put in the wrong place.
#pragma once

#include <filesystem>
#include <string>

#include "config/settings.hpp"

namespace verbatim::config {

/// Without the line break at its end. Refused if it is too short or too long, or has a byte order
/// mark, blanks, quotes around it or control characters: what nobody sees in an editor, and a
/// provider answers with 401. `several`: one a line.
Secret checked_secret(std::string text, bool several = false);
/// Links are followed, since certificate tools and Kubernetes make them.
Secret read_secret_file(const std::filesystem::path& path, bool several = false);

/// What is wrong with the owner or the mode of what the path leads to; empty if nothing is, or if
/// it is no file.
std::string secret_file_warning(const std::filesystem::path& path);

}  // namespace verbatim::config
