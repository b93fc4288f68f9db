#include "server/log.hpp"

#include <unistd.h>

#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>

#include "server/misplaced_secret.hpp"
#include "server/printable.hpp"
#include "session/render.hpp"

namespace verbatim::server {

namespace {

using nlohmann::json;

const char* name(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::debug:
      return "debug";
    case config::LogLevel::info:
      return "info";
    case config::LogLevel::warn:
      return "warn";
    case config::LogLevel::error:
      return "error";
  }
  return "";
}

std::string as_json(const json& value) {
  return without_controls(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

struct RepeatedLine {
  config::LogLevel level;
  const char* event;
};
/// By Repeated.
constexpr RepeatedLine repeated_lines[] = {{config::LogLevel::info, "upgrade.refused"},
                                           {config::LogLevel::warn, "connection.proxy_header"},
                                           {config::LogLevel::info, "connection.handshake_failed"},
                                           {config::LogLevel::error, "connection.bug"},
                                           {config::LogLevel::error, "http.bug"}};

}  // namespace

void Log::repeated(Repeated kind, LogFields fields, LineLimit::Time now) {
  static_assert(std::size(repeated_lines) == repeated_kinds);
  const auto index = static_cast<std::size_t>(kind);
  const LineLimit::Verdict verdict = repeated_[index].take(now);
  write_left_out(index, verdict.left_out);
  if (verdict.write) write(repeated_lines[index].level, repeated_lines[index].event, fields);
}

void Log::tell_left_out(LineLimit::Time now) {
  for (std::size_t kind = 0; kind < repeated_kinds; ++kind)
    write_left_out(kind, repeated_[kind].take_left_out(now));
}

void Log::write_left_out(std::size_t kind, std::uint64_t count) {
  if (count == 0) return;
  write(repeated_lines[kind].level, repeated_lines[kind].event,
        {{"left_out", count},
         {"why",
          "more lines like these in a second than "
          "log.lines_per_second"}});
}

void Log::write(config::LogLevel level, std::string_view event, LogFields fields) {
  if (level < level_.load(std::memory_order_relaxed)) return;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const auto hide = [this](const std::string& text) {
    return without_secrets(secrets_ ? secrets_->cut(text) : text);
  };
  std::string line;
  if (format_ == config::LogFormat::json) {
    json object = {{"time", session::iso_time(now)}, {"level", name(level)}, {"event", event}};
    for (const auto& [key, value] : fields) {
      json& slot = object[std::string(key)];
      std::visit(
          [&](const auto& v) {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
              slot = hide(v);
            } else {
              slot = v;
            }
          },
          value.value());
    }
    line = as_json(object);
  } else {
    line = session::iso_time(now) + " " + name(level) + " " + std::string(event);
    for (const auto& [key, value] : fields) {
      line += " " + std::string(key) + "=";
      std::visit(
          [&](const auto& v) {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
              line += printable(hide(v));
            } else {
              line += as_json(json(v));
            }
          },
          value.value());
    }
  }
  line += '\n';
  // A log that can not be written has nowhere to complain.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace verbatim::server
