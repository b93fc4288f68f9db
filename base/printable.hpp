// Text from outside for a log or a terminal. Pure; any thread.
#pragma once

#include <string>

namespace verbatim {

/// JSON text with escapes in place of what a terminal obeys or does not show: control characters,
/// also DEL and those above ASCII, and marks that order letters anew or break lines. What stands in
/// the JSON's strings means the same afterwards.
std::string without_controls(std::string json_text);

/// A word as it is if it is nothing but printable ASCII without quotes, blanks, '\\' and '=';
/// anything else as a JSON string without controls.
std::string printable(const std::string& text);

}  // namespace verbatim
