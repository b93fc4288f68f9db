// verbatim check
#include <iostream>

#include "base/clock.hpp"
#include "config/effective.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/commands/offline.hpp"
#include "server/app/start_check.hpp"

namespace verbatim::app {

namespace {

struct CheckOptions {
  std::string data_dir;
  const CLI::Option* with_data = nullptr;
  bool changed = false;
};

void add_check_options(CLI::App& parser, CheckOptions& options) {
  CLI::Option* const changed = parser.add_flag(
      "--changed", options.changed, "print only the keys that differ from their defaults");
  options.with_data =
      parser.add_option("--data", options.data_dir, "check stored data; default: server.data_dir")
          ->expected(0, 1)
          ->excludes(changed);
}

/// Prints warnings at once, and returns the errors, a line for each.
std::string report(const Findings& findings) {
  std::string errors;
  for (const Finding& finding : findings) {
    if (finding.is_error)
      errors += (errors.empty() ? "" : "\n") + in_words(finding);
    else
      warn(in_words(finding));
  }
  return errors;
}

void print_settings(const Common& common, const config::Settings& settings, bool changed) {
  const config::Shown shown = changed ? config::Shown::changed : config::Shown::all;
  if (common.as_json) {
    std::cout << config::to_json(settings, shown);
    return;
  }
  const std::string text = config::to_toml(settings, shown);
  // Comments, so that the output stays a configuration file.
  std::cout << (text.empty() ? "# every key has its default\n" : text)
            << "\n# configuration is sound\n";
}

int check(const Common& common, const CheckOptions& options) {
  if (options.with_data->count() > 0) return check_data(common, options.data_dir);
  std::vector<std::string> wrong;
  const config::Settings settings = config::load_what_is_right(common.sources(), wrong);
  Findings findings;
  for (std::string& one : wrong) findings.push_back({true, "", std::move(one), ""});
  for (Finding& one : check_start(settings, now().wall)) findings.push_back(std::move(one));
  const std::string errors = report(findings);
  if (!errors.empty()) return fail(errors, exit_code::bad_usage);
  print_settings(common, settings, options.changed);
  return exit_code::ok;
}

}  // namespace

Family configuration_commands() {
  return {"",
          "",
          {command(
              "check",
              "validate the configuration and the files that it names, and print the configuration",
              add_check_options, check)}};
}

}  // namespace verbatim::app
