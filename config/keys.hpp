// The table of all configuration keys. It declares each key once: what it accepts, how to read it
// and how to print it. The readers of the file, the environment and --set, the search for unknown
// keys, printing and masking all use this table, so they always know the same keys.
//
// The table is immutable. Reading a key throws BadValue, and the caller adds where the value stood.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/formats.hpp"
#include "config/settings.hpp"

namespace verbatim::config {

enum class Role {
  plain,
  secret,       ///< only from the environment; print shows whether it is set, never its value
  secret_file,  ///< names the file of the secret with the same name; never printed
};

struct Key {
  std::string name;  ///< section.key
  Shape shape;
  std::string accepts;  ///< shown in messages and in verbatim.toml
  std::function<void(Settings&, const Value&, Source)> read;
  std::function<Value(const Settings&)> print;
  Role role = Role::plain;
};

/// In printing order; the keys of a section are adjacent.
const std::vector<Key>& keys();

/// `session.idle_timeout` -> `VERBATIM_SESSION_IDLE_TIMEOUT`
std::string environment_variable(std::string name);

}  // namespace verbatim::config
