// Common parts of all commands: sources of settings, output, exit codes. On the main thread.
#pragma once

#include <string>
#include <vector>

#include "base/json/tree_fwd.hpp"
#include "config/settings.hpp"

namespace verbatim::app {

namespace exit_code {
inline constexpr int ok = 0;
inline constexpr int failed = 1;
inline constexpr int bad_usage = 2;
inline constexpr int not_found = 3;
}  // namespace exit_code

struct Common {
  std::string config_file;
  std::vector<std::string> assignments;
  bool as_json = false;

  config::Sources sources() const;
  config::Settings settings() const { return config::load(sources()); }
};

void print(const Json& value);

/// From now on fail() prints {"error":{"message","exit_code"}}. For the whole process, which runs
/// one command.
void print_errors_as_json();

/// Prints `what` as an error to stderr and returns `code`.
int fail(const std::string& what, int code);
/// Prints a warning to stderr.
void warn(const std::string& what);

}  // namespace verbatim::app
