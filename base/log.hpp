// Structured log lines on stderr: an event name and its fields, as text or JSON.
//
// Any thread: each line is one write(2). LogValue does not accept the types of transcript text and
// secrets, so neither can reach a log line (P10).
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/line_limit.hpp"
#include "base/secret.hpp"
#include "base/text.hpp"

namespace verbatim {

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { text, json };

struct LogOptions {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  /// for each kind of line that unauthenticated peers can cause; 0: no limit
  std::size_t lines_per_second = 10;
};

class LogValue {
 public:
  LogValue(bool value) : value_(value) {}
  LogValue(std::integral auto value) : value_(static_cast<std::int64_t>(value)) {}
  LogValue(double value) : value_(value) {}
  LogValue(const char* value) : value_(std::string(value)) {}
  LogValue(std::string value) : value_(std::move(value)) {}
  LogValue(std::string_view value) : value_(std::string(value)) {}
  LogValue(const Text&) = delete;
  LogValue(const Secret&) = delete;

  const auto& value() const { return value_; }

 private:
  std::variant<bool, std::int64_t, double, std::string> value_;
};

using LogFields = std::initializer_list<std::pair<std::string_view, LogValue>>;

/// Kinds of line that peers without credentials can cause without limit. log.lines_per_second
/// limits each kind.
enum class Repeated : std::uint8_t {
  upgrade_refused = 0,
  proxy_header = 1,
  handshake_failed = 2,
  connection_bug = 3,
  request_bug = 4
};

class Log {
 public:
  /// Returns the text with everything removed that must not be printed. Called from any thread.
  using Redact = std::function<std::string(std::string)>;

  /// `redact` is applied to every text of every line; empty: nothing is removed.
  explicit Log(LogOptions options, Redact redact = {})
      : level_(options.level),
        format_(options.format),
        redact_(std::move(redact)),
        repeated_(limits(options.lines_per_second, std::make_index_sequence<repeated_kinds>())) {}

  void debug(std::string_view event, LogFields fields = {}) {
    write(LogLevel::debug, event, fields);
  }
  void info(std::string_view event, LogFields fields = {}) { write(LogLevel::info, event, fields); }
  void warn(std::string_view event, LogFields fields = {}) { write(LogLevel::warn, event, fields); }
  void error(std::string_view event, LogFields fields = {}) {
    write(LogLevel::error, event, fields);
  }
  /// Logs at the level of its kind, or counts the line as omitted.
  void repeated(Repeated kind, LogFields fields, LineLimit::Time now);
  void repeated(Repeated kind, LogFields fields) {
    repeated(kind, fields, std::chrono::steady_clock::now());
  }
  /// Logs the number of lines omitted in each second that has ended. Call it a few times a second.
  void report_left_out(LineLimit::Time now);

  void set_level(LogLevel level) { level_ = level; }
  void set_format(LogFormat format) { format_ = format; }

 private:
  static constexpr std::size_t repeated_kinds = 5;
  using Limits = std::array<LineLimit, repeated_kinds>;
  template <std::size_t... Kinds>
  static Limits limits(std::size_t per_second, std::index_sequence<Kinds...>) {
    const auto limit = [per_second](std::size_t) { return LineLimit(per_second); };
    return {limit(Kinds)...};
  }

  void write(LogLevel level, std::string_view event, LogFields fields);
  void write_left_out(std::size_t kind, std::uint64_t count);

  std::atomic<LogLevel> level_;
  std::atomic<LogFormat> format_;
  Redact redact_;
  Limits repeated_;
};

}  // namespace verbatim
