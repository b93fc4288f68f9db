// The table of all configuration keys. keys_*.cpp declare each key once: its help, its default,
// what it accepts, how to read it and how to print it. The readers of the file, the environment and
// --set, the search for unknown keys, printing, masking and the documentation all use this table.
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

enum class Reload {
  restart,  ///< a change needs a restart
  live,     ///< SIGHUP takes it over; new conversations and connections have it
};

struct Key {
  std::string name;  ///< section.key
  Shape shape = Shape::text;
  std::string accepts;  ///< with the bounds; shown in messages and in verbatim.toml
  std::string help;     ///< empty: the help of the key above covers this key too
  std::function<void(Settings&)> set_default;
  std::function<void(Settings&, const Value&, Source)> read;
  std::function<Value(const Settings&)> print;
  std::function<void(Settings& to, const Settings& from)> copy;
  /// Whether both have the same value. The content of files is not compared.
  std::function<bool(const Settings&, const Settings&)> same;
  Reload reload = Reload::restart;
  Role role = Role::plain;
  std::string example;  ///< of a secret's file
};

/// In printing order; the keys of a section are adjacent.
const std::vector<Key>& keys();

/// `session` and `idle_timeout` of `session.idle_timeout`.
std::string section_of(const std::string& name);
std::string member_of(const std::string& name);

/// `session.idle_timeout` -> `VERBATIM_SESSION_IDLE_TIMEOUT`
std::string environment_variable(std::string name);

}  // namespace verbatim::config
