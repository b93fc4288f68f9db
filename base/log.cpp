#include "base/log.hpp"

#include <unistd.h>

#include <chrono>
#include <iterator>

#include "base/clock.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "base/printable.hpp"

namespace verbatim {

namespace {

const char* name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "";
}

template <class Tree>
std::string as_json(const Tree& value) {
  return without_controls(dump(value));
}

/// Whether the line omits the field: it has no `trace_id` if the conversation is not traced.
bool is_left_out(std::string_view key, const LogValue& value) {
  const auto* const text = std::get_if<std::string>(&value.value());
  return key == "trace_id" && text && text->empty();
}

struct RepeatedLine {
  LogLevel level;
  const char* event;
};
/// Indexed by Repeated.
constexpr RepeatedLine repeated_lines[] = {{LogLevel::info, "upgrade.refused"},
                                           {LogLevel::warn, "connection.proxy_header"},
                                           {LogLevel::info, "connection.handshake_failed"},
                                           {LogLevel::error, "connection.bug"},
                                           {LogLevel::error, "http.bug"}};

}  // namespace

void Log::repeated(Repeated kind, LogFields fields, LineLimit::Time now) {
  static_assert(std::size(repeated_lines) == repeated_kinds);
  const auto index = static_cast<std::size_t>(kind);
  const LineLimit::Verdict verdict = repeated_[index].take(now);
  write_left_out(index, verdict.left_out);
  if (verdict.write) write(repeated_lines[index].level, repeated_lines[index].event, fields);
}

void Log::report_left_out(LineLimit::Time now) {
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

void Log::write(LogLevel level, std::string_view event, LogFields fields) {
  if (level < level_.load(std::memory_order_relaxed)) return;
  const TimeMs time = now().wall;
  const auto hide = [this](const std::string& text) { return redact_ ? redact_(text) : text; };
  std::string line;
  if (format_ == LogFormat::json) {
    OrderedJson object = {{"time", iso_time(time)}, {"level", name(level)}, {"msg", event}};
    for (const auto& [key, value] : fields) {
      if (is_left_out(key, value)) continue;
      auto& slot = object[std::string(key)];
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
    line = iso_time(time) + " " + name(level) + " " + std::string(event);
    for (const auto& [key, value] : fields) {
      if (is_left_out(key, value)) continue;
      line += " " + std::string(key) + "=";
      std::visit(
          [&](const auto& v) {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
              line += printable(hide(v));
            } else {
              line += as_json(Json(v));
            }
          },
          value.value());
    }
  }
  line += '\n';
  // If the log cannot be written, there is no other place to report it.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace verbatim
