#include "server/app/command_line.hpp"

#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "server/relay/access/misplaced_secret.hpp"

namespace verbatim::app {

config::Sources Common::sources() const {
  config::Sources from;
  from.file = config_file;
  from.assignments = assignments;
  for (char** entry = environ; *entry; ++entry) from.environment.emplace_back(*entry);
  return from;
}

void print(const nlohmann::json& value) {
  std::cout << value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

int fail(const std::string& what, int code) {
  // A key passed instead of its file's name must not appear on the screen or in a log.
  std::cerr << "verbatim: " << access::without_secrets(what) << "\n";
  return code;
}

}  // namespace verbatim::app
