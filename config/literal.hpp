// Values as they stand in a TOML file. Pure.
#pragma once

#include <string>

#include "config/formats.hpp"

namespace verbatim::config {

/// Strings, numbers and booleans look the same in JSON and TOML. Tables are printed in one line.
std::string toml_literal(const Value& value);

}  // namespace verbatim::config
