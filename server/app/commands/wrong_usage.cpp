// Explains wrong usage: what is wrong, the nearest right name, and where to read on.
#include <algorithm>
#include <string_view>

#include "base/comma_list.hpp"
#include "base/edit_distance.hpp"
#include "base/printable.hpp"
#include "server/app/commands/parser.hpp"

namespace verbatim::app {

namespace {

/// Longer words are cut: they resemble no name.
constexpr std::size_t shown_bytes_max = 64;
/// A typing error changes no more letters than this.
constexpr std::size_t slip_max = 2;

using Names = std::vector<std::string>;

Names commands_of(const CLI::App& parent) {
  Names names;
  // With a filter: without one, the parser lists only the commands that were given.
  for (const CLI::App* one : parent.get_subcommands([](const CLI::App* any) {
         return !any->get_name().empty();  // option groups have no name
       }))
    names.push_back(one->get_name());
  return names;
}

Names options_of(const CLI::App& command) {
  Names names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* group :
       command.get_subcommands([](const CLI::App* any) { return any->get_name().empty(); })) {
    const Names inner = options_of(*group);
    names.insert(names.end(), inner.begin(), inner.end());
  }
  return names;
}

/// The family and the command, as a user types them.
std::string words_of(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : words_of(*parent) + " " + command.get_name();
}

std::string help_of(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  if (parent == nullptr) return "verbatim help";
  return help_of(*parent) + " " + command.get_name();
}

std::string suggestion(const std::string& word, const Names& names) {
  const auto distance = [&](const std::string& name) { return edit_distance(word, name); };
  const auto nearest = std::min_element(
      names.begin(), names.end(),
      [&](const std::string& a, const std::string& b) { return distance(a) < distance(b); });
  if (nearest == names.end() || distance(*nearest) > slip_max) return {};
  return " Did you mean " + *nearest + "?";
}

std::string start_of(const CLI::App& command) {
  return command.get_parent() == nullptr ? "" : words_of(command) + ": ";
}

/// The innermost command that the words have named.
const CLI::App& named(const CLI::App& app) {
  const std::vector<CLI::App*> inner = app.get_subcommands();
  return inner.empty() ? app : named(*inner.front());
}

std::string unexpected(const CLI::App& command, const std::string& given) {
  const std::string word = given.substr(0, shown_bytes_max);
  if (word.starts_with("-")) {
    const std::string name = word.substr(0, word.find('='));
    return start_of(command) + "there is no option " + printable(name) + "." +
           suggestion(name, options_of(command)) + " `" + help_of(command) + "` lists the options.";
  }
  if (!commands_of(command).empty()) return unknown_command(command, word);
  return start_of(command) + "the argument " + printable(word) + " is one too many. `" +
         help_of(command) + "` shows the usage.";
}

}  // namespace

std::string unknown_command(const CLI::App& parent, const std::string& word) {
  const Names names = commands_of(parent);
  return start_of(parent) + "there is no command " + printable(word.substr(0, shown_bytes_max)) +
         "." + suggestion(word.substr(0, shown_bytes_max), names) +
         (names.empty() ? "" : " Commands: " + comma_list(names) + ".") + " `" + help_of(parent) +
         "` explains them.";
}

std::string explanation(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = named(app);
  // First: a mistyped command is also reported as a missing one.
  const Names unknown = app.remaining(true);
  if (!unknown.empty()) return unexpected(command, unknown.front());
  const Names commands = commands_of(command);
  if (command.get_parent() != nullptr && !commands.empty())
    return start_of(command) + "a command is missing. Commands: " + comma_list(commands) + ". `" +
           help_of(command) + "` explains them.";
  return start_of(command) + error.what() + ". `" + help_of(command) + "` shows the usage.";
}

}  // namespace verbatim::app
