#include "server/app/command_line.hpp"

#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "server/relay/access/misplaced_secret.hpp"

namespace verbatim::app {

namespace {

bool errors_as_json = false;

std::string as_text(const nlohmann::json& value) {
  return value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

config::Sources Common::sources() const {
  config::Sources from;
  from.file = config_file;
  from.assignments = assignments;
  for (char** entry = environ; *entry; ++entry) from.environment.emplace_back(*entry);
  return from;
}

void print(const nlohmann::json& value) { std::cout << as_text(value) << "\n"; }

void print_errors_as_json() { errors_as_json = true; }

int fail(const std::string& what, int code) {
  // A key passed instead of its file's name must not appear on the screen or in a log.
  const std::string shown = access::without_secrets(what);
  if (errors_as_json)
    std::cerr << as_text({{"error", {{"message", shown}, {"exit_code", code}}}}) << "\n";
  else
    std::cerr << "verbatim: " << shown << "\n";
  return code;
}

}  // namespace verbatim::app
