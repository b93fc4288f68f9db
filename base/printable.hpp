// Makes text from outside safe for a log or a terminal. Pure; any thread.
#pragma once

#include <string>

namespace verbatim {

/// JSON text in which escapes replace every character that a terminal executes or hides: control
/// characters (also DEL and those above ASCII), and marks that reorder text or break lines. The
/// JSON keeps its meaning.
std::string without_controls(std::string json_text);

/// Text of several lines for a terminal: escapes such as \u001b replace every character that a
/// terminal executes, and marks that reorder text. Line ends, tabs and joiners of letters stay.
std::string for_terminal(std::string text);

/// Returns the text unchanged if it is printable ASCII without quotes, blanks, '\\' and '='. Other
/// text becomes a JSON string without control characters.
std::string printable(const std::string& text);

}  // namespace verbatim
