#include "server/app/commands/command.hpp"

#include <unistd.h>

#include <iostream>
#include <stdexcept>

#include "base/printable.hpp"
#include "session/transcript/render/render.hpp"

namespace verbatim::app {

CLI::Validator checked_by(std::function<void(const std::string&)> check) {
  return {[check = std::move(check)](const std::string& value) -> std::string {
            try {
              check(value);
              return {};
            } catch (const std::exception& wrong) {
              return wrong.what();
            }
          },
          ""};
}

CLI::Validator not_empty() {
  return checked_by([](const std::string& value) {
    if (value.empty()) throw std::invalid_argument("is empty");
  });
}

void print_transcript(const std::string& rendered) {
  std::cout << (::isatty(STDOUT_FILENO) == 1 ? for_terminal(rendered) : rendered);
}

void add_session_id(CLI::App& parser, std::string& id) {
  parser.add_option("id", id, "session id")->required()->check(not_empty());
}

void add_format(CLI::App& parser, std::string& format) {
  parser.add_option("--format", format, "json, jsonl, text, markdown, vtt, srt")
      ->check(checked_by([](const std::string& name) {
        if (!transcript::format_from_string(name))
          throw std::invalid_argument(
              name + " is not a format: use json, jsonl, text, markdown, vtt or srt");
      }));
}

}  // namespace verbatim::app
