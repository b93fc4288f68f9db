#include "server/app/command_line.hpp"

#include <unistd.h>

#include <iostream>
#include <sstream>

#include "base/json/tree.hpp"
#include "server/relay/access/misplaced_secret.hpp"

namespace verbatim::app {

namespace {

bool errors_as_json = false;

constexpr auto replace_bad_text = Json::error_handler_t::replace;

/// To stderr: with --json it is JSON Lines.
void write_line(const Json& value) {
  std::cerr << value.dump(-1, ' ', false, replace_bad_text) << "\n";
}

}  // namespace

config::Sources Common::sources() const {
  config::Sources from;
  from.file = config_file;
  from.assignments = assignments;
  for (char** entry = environ; *entry; ++entry) from.environment.emplace_back(*entry);
  return from;
}

void print(const Json& value) { std::cout << value.dump(2, ' ', false, replace_bad_text) << "\n"; }

void print_errors_as_json() { errors_as_json = true; }

int fail(const std::string& what, int code) {
  // A key passed instead of its file's name must not appear on the screen or in a log.
  const std::string shown = access::without_secrets(what);
  std::vector<std::string> problems;
  std::istringstream lines(shown);
  for (std::string line; std::getline(lines, line);) problems.push_back(line);
  if (errors_as_json) {
    write_line({{"error", {{"message", shown}, {"problems", problems}, {"exit_code", code}}}});
  } else {
    for (const std::string& one : problems) std::cerr << "verbatim: " << one << "\n";
  }
  return code;
}

void warn(const std::string& what) {
  const std::string shown = access::without_secrets(what);
  if (errors_as_json)
    write_line({{"warning", shown}});
  else
    std::cerr << "verbatim: warning: " << shown << "\n";
}

}  // namespace verbatim::app
