// Makes the parser from the table of commands, and explains wrong usage.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "server/app/commands/command.hpp"

namespace verbatim::app {

/// The command line of the program: parse(), then run(). Must not move: the parser refers to it.
class Parser {
 public:
  /// `without_command`: the name of the command that runs if none is given.
  Parser(const std::vector<Family>& families, const std::string& without_command);
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// Throws CLI::ParseError; that includes CLI::Success after --help and --version.
  void parse(int argc, char** argv) { app_.parse(argc, argv); }
  /// Runs the parsed command; returns its exit code.
  int run() const { return chosen_(); }

  /// Prints the answer to --help or --version, or says what is wrong and what to do. Returns the
  /// exit code.
  int answer(const CLI::ParseError& error) const;

 private:
  void add(CLI::App& parent, const Command& command);
  void add_options(CLI::App& parser, const Command& command);
  void add_help();
  int help(const std::vector<std::string>& words) const;

  CLI::App app_;
  Common common_;
  Run chosen_;
};

/// Explains a failed parse: the wrong word, the nearest right one, and the help to read.
std::string explanation(const CLI::App& app, const CLI::ParseError& error);
std::string unknown_command(const CLI::App& parent, const std::string& word);

}  // namespace verbatim::app
