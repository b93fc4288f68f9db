// A row of the table of commands: name, help, options, function. Each file of this folder declares
// the rows of one family; families.hpp lists them.
//
// Everything runs on the main thread, once.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/app/command_line.hpp"

namespace verbatim::app {

/// Runs a parsed command; returns the exit code.
using Run = std::function<int()>;

/// The common options that a command has.
enum class Takes {
  settings,  ///< --config, --set and --json
  json,      ///< only --json
  nothing,
};

struct Command {
  std::string name;  ///< without the family's name
  std::string help;
  /// Adds the command's own options to the parser. The result runs the command with their values;
  /// `common` must outlive it.
  std::function<Run(CLI::App& parser, const Common& common)> declare;
  Takes takes = Takes::settings;
};

/// Commands that begin with the same word; an empty name: commands of one word.
struct Family {
  std::string name;
  std::string help;
  std::vector<Command> commands;
};

/// `options` adds each member of `Options` to the parser, with its help.
template <class Options>
Command command(std::string name, std::string help, void (*options)(CLI::App&, Options&),
                int (*run)(const Common&, const Options&), Takes takes = Takes::settings) {
  return {std::move(name), std::move(help),
          [options, run](CLI::App& parser, const Common& common) -> Run {
            const auto values = std::make_shared<Options>();
            options(parser, *values);
            return [run, values, &common] { return run(common, *values); };
          },
          takes};
}

/// A command without options of its own.
inline Command command(std::string name, std::string help, int (*run)(const Common&),
                       Takes takes = Takes::settings) {
  return {std::move(name), std::move(help),
          [run](CLI::App&, const Common& common) -> Run {
            return [run, &common] { return run(common); };
          },
          takes};
}

/// A check of an option's value by a function that throws a std::exception with the reason.
CLI::Validator checked_by(std::function<void(const std::string&)> check);

/// Refuses an empty value: a script's variable that is not set.
CLI::Validator not_empty();

/// Options that several commands have.
void add_session_id(CLI::App& parser, std::string& id);
void add_format(CLI::App& parser, std::string& format);

/// Prints a rendered transcript: as it is into a pipe or a file, without escape characters on a
/// terminal.
void print_transcript(const std::string& rendered);

}  // namespace verbatim::app
