// The table of all keys: each is declared once, with what it accepts, how it is read and how it is
// printed. Reading a file, the environment and --set, finding unknown keys, printing and masking
// all walk this table, so none of them can know a key that another does not.
//
// Immutable once made; reading a key throws BadValue and never names where the value stood.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/formats.hpp"
#include "config/settings.hpp"

namespace verbatim::config {

enum class Role {
  plain,
  secret,       ///< only from the environment; print says whether it is set, never what it is
  secret_file,  ///< fills the secret of the same name; never printed
};

struct Key {
  std::string name;  ///< section.key
  Shape shape;
  std::string accepts;  ///< as it stands in messages and in verbatim.toml
  std::function<void(Settings&, const Value&, Source)> read;
  std::function<Value(const Settings&)> print;
  Role role = Role::plain;
};

/// In the order in which they are printed; the keys of a section stand together.
const std::vector<Key>& keys();

/// `session.idle_timeout` -> `VERBATIM_SESSION_IDLE_TIMEOUT`
std::string environment_variable(std::string name);

}  // namespace verbatim::config
