#include "server/app/commands/command.hpp"

#include <stdexcept>

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

void add_session_id(CLI::App& parser, std::string& id) {
  parser.add_option("id", id, "session id")->required();
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
