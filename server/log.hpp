// Structured lines on stderr: an event's name and its fields, as text or JSON.
//
// Any thread: one line is one write(2). Transcript text and secrets have types of their own that
// this one refuses to take (P10).
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "config/settings.hpp"
#include "session/secret_filter.hpp"
#include "session/text.hpp"

namespace verbatim::server {

class LogValue {
 public:
  LogValue(bool value) : value_(value) {}
  LogValue(std::integral auto value) : value_(static_cast<std::int64_t>(value)) {}
  LogValue(double value) : value_(value) {}
  LogValue(const char* value) : value_(std::string(value)) {}
  LogValue(std::string value) : value_(std::move(value)) {}
  LogValue(std::string_view value) : value_(std::string(value)) {}
  LogValue(const session::Text&) = delete;
  LogValue(const config::Secret&) = delete;

  const auto& value() const { return value_; }

 private:
  std::variant<bool, std::int64_t, double, std::string> value_;
};

using LogFields = std::initializer_list<std::pair<std::string_view, LogValue>>;

class Log {
 public:
  /// `secrets` are cut out of every line.
  explicit Log(config::Log options, std::shared_ptr<const session::SecretFilter> secrets = nullptr)
      : level_(options.level), format_(options.format), secrets_(std::move(secrets)) {}

  void debug(std::string_view event, LogFields fields = {}) {
    write(config::LogLevel::debug, event, fields);
  }
  void info(std::string_view event, LogFields fields = {}) {
    write(config::LogLevel::info, event, fields);
  }
  void warn(std::string_view event, LogFields fields = {}) {
    write(config::LogLevel::warn, event, fields);
  }
  void error(std::string_view event, LogFields fields = {}) {
    write(config::LogLevel::error, event, fields);
  }
  void set_level(config::LogLevel level) { level_ = level; }

 private:
  void write(config::LogLevel level, std::string_view event, LogFields fields);

  std::atomic<config::LogLevel> level_;
  config::LogFormat format_;
  std::shared_ptr<const session::SecretFilter> secrets_;
};

}  // namespace verbatim::server
