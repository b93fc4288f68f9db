#include "server/app/commands/parser.hpp"

#include <algorithm>
#include <iostream>

namespace verbatim::app {

Parser::Parser(const std::vector<Family>& families, const std::string& without_command)
    : app_("Verbatim relays realtime voice and keeps the transcripts.", "verbatim") {
  app_.set_version_flag("--version", std::string("verbatim ") + VERBATIM_VERSION);
  app_.require_subcommand(0, 1);
  for (const Family& family : families) {
    CLI::App* parent = &app_;
    if (!family.name.empty()) {
      parent = app_.add_subcommand(family.name, family.help);
      parent->require_subcommand(1);
    }
    for (const Command& command : family.commands) {
      add(*parent, command);
      if (family.name.empty() && command.name == without_command) {
        add_options(app_, command);
        chosen_ = command.declare(app_, common_);
      }
    }
  }
  add_help();
}

void Parser::add(CLI::App& parent, const Command& command) {
  CLI::App& parser = *parent.add_subcommand(command.name, command.help);
  add_options(parser, command);
  parser.callback([this, run = command.declare(parser, common_)] { chosen_ = run; });
}

void Parser::add_options(CLI::App& parser, const Command& command) {
  if (command.takes == Takes::settings) {
    parser.add_option("--config", common_.config_file, "configuration file (TOML)");
    parser
        .add_option("--set", common_.assignments,
                    "set section.key=value; overrides the file and the environment")
        ->take_all();
  }
  if (command.takes != Takes::nothing)
    parser.add_flag("--json", common_.as_json, "print the result as JSON");
}

void Parser::add_help() {
  CLI::App& parser = *app_.add_subcommand("help", "explain a command and its options");
  const auto words = std::make_shared<std::vector<std::string>>();
  parser.add_option("command", *words, "the command; default: the list of all");
  parser.callback([this, words] { chosen_ = [this, words] { return help(*words); }; });
}

int Parser::help(const std::vector<std::string>& words) const {
  const CLI::App* command = &app_;
  std::string name = app_.get_name();
  for (const std::string& word : words) {
    const auto inner =
        command->get_subcommands([&](const CLI::App* one) { return one->get_name() == word; });
    if (inner.empty()) return fail(unknown_command(*command, word), exit_code::bad_usage);
    command = inner.front();
    name += " " + word;
  }
  // Not App::help(): it would explain the command that was parsed, `help` itself.
  std::cout << command->get_formatter()->make_help(command, name, CLI::AppFormatMode::Normal);
  return exit_code::ok;
}

int Parser::answer(const CLI::ParseError& error) const {
  if (error.get_exit_code() == 0) {
    app_.exit(error, std::cout, std::cerr);
    return exit_code::ok;
  }
  return fail(explanation(app_, error), exit_code::bad_usage);
}

}  // namespace verbatim::app
