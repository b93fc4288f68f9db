// Writes config/verbatim.toml from the declarations of the settings.
#include <algorithm>
#include <string>
#include <string_view>

#include "config/keys.hpp"
#include "config/literal.hpp"

namespace verbatim::config {
namespace {

constexpr std::string_view opening =
    R"(# Verbatim's configuration: every key, with its default. Your file needs only the keys that you change.
#
# Three places set a key. Later ones win:
#   1. this file;
#   2. the environment: VERBATIM_SESSION_IDLE_TIMEOUT=30s sets session.idle_timeout (an empty variable
#      counts as not set);
#   3. the command line: `--set session.idle_timeout=30s`.
# In 2 and 3 lists are written as `a,b` or `["a", "b"]`. `verbatim check` prints the result. Relative
# paths start at the working directory.
#
# SIGHUP (`systemctl reload verbatim`) reads everything again. A key with the line "Changes while
# running." then has its new value for new conversations, connections and requests. Any other key
# needs a restart; the log names each that differs (server.restart_needed). If something in the
# new configuration is wrong, the log says what, and the previous one stays in use.
#
# Secrets never stand in this file or on the command line. They come from a file of their own
# (`..._file`) or from the environment. A line break at the end of such a file is not part of the
# secret. A byte order mark, spaces and quotes are refused. A file that other users may read or change
# causes a warning. A key that is commented out below is not set by default.
)";

/// The text above the first key of a section; empty for most sections.
std::string_view introduction(std::string_view section) {
  if (section == "limits")
    return "Limits on a conversation's resources: docs/limits.md. 0: no limit. A token can set "
           "stricter limits for its session, never wider ones. Beyond a limit the conversation "
           "ends (close reason policy), unless its comment says otherwise.";
  if (section == "policy")
    return "Rules for clients: docs/limits.md. A token can set rules of its own, which replace "
           "these one by one.";
  return {};
}

/// The text as comment lines of at most `columns`.
std::string comment(std::string_view text) {
  constexpr std::size_t columns = 105;
  std::string out;
  std::string line = "#";
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (line.size() + 1 + word.size() > columns) {
      out += line + "\n";
      line = "#";
    }
    line.append(" ").append(word);
  }
  return line == "#" ? out : out + line + "\n";
}

}  // namespace

std::string documentation() {
  static const Settings defaults;
  std::string out(opening);
  std::string section;
  for (const Key& key : keys()) {
    if (key.role == Role::secret) continue;
    const bool begins = section_of(key.name) != section;
    if (begins) {
      section = section_of(key.name);
      out += "\n[" + section + "]\n" + comment(introduction(section));
      if (!introduction(section).empty()) out += "#\n";
    } else if (!key.help.empty()) {
      out += "\n";
    }
    out += comment(key.help) + "# Accepts: " + key.accepts + "\n";
    out +=
        key.reload == Reload::live ? "# Changes while running.\n" : "# A change needs a restart.\n";
    out += key.role == Role::secret_file
               ? "# " + member_of(key.name) + " = \"" + key.example + "\"\n"
               : member_of(key.name) + " = " + toml_literal(key.print(defaults)) + "\n";
  }
  return out;
}

}  // namespace verbatim::config
