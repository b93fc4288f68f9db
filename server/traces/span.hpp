// A span of a trace, as OpenTelemetry defines it: plain values. No member can hold a Text, so no
// transcript text gets into a span by accident (P10).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/text.hpp"

namespace verbatim::traces {

using TraceId = std::array<unsigned char, 16>;
using SpanId = std::array<unsigned char, 8>;

/// Whether an id is set: it has a byte that is not zero.
template <std::size_t N>
bool is_set(const std::array<unsigned char, N>& id) {
  return std::any_of(id.begin(), id.end(), [](unsigned char byte) { return byte != 0; });
}

/// A value of an attribute. Numbers are whole; OTLP knows doubles, and no attribute needs them.
class AttributeValue {
 public:
  AttributeValue(bool value) : value_(value) {}
  AttributeValue(std::int64_t value) : value_(value) {}
  AttributeValue(std::string value) : value_(std::move(value)) {}
  AttributeValue(std::string_view value) : value_(std::string(value)) {}
  AttributeValue(const char* value) : value_(std::string(value)) {}
  AttributeValue(std::vector<std::string> value) : value_(std::move(value)) {}
  AttributeValue(const Text&) = delete;

  const auto& value() const { return value_; }

 private:
  std::variant<bool, std::int64_t, std::string, std::vector<std::string>> value_;
};

/// The name is one of span_names.hpp.
using Attribute = std::pair<std::string_view, AttributeValue>;
using Attributes = std::vector<Attribute>;

struct SpanEvent {
  std::string_view name;
  std::int64_t at_us = 0;
  Attributes attributes;
};

/// The numbers are OTLP's.
enum class SpanKind : std::uint8_t { internal = 1, server = 2, client = 3 };

struct Span {
  TraceId trace{};
  SpanId id{};
  SpanId parent{};  ///< not set: a root
  std::string_view name;
  SpanKind kind = SpanKind::internal;
  std::int64_t start_us = 0;  ///< microseconds since the Unix epoch
  std::int64_t end_us = 0;
  Attributes attributes;
  std::vector<SpanEvent> events;
  bool failed = false;  ///< OTLP's status "error"; the attribute error.type says why
};

/// The place of a trace below which new spans belong.
struct SpanContext {
  TraceId trace{};
  SpanId span{};
  bool sampled = false;
};

/// The wall clock may be set back between two moments of a span. So only its start comes from that
/// clock; the rest comes from the monotonic one.
inline std::int64_t wall_us(Moment moment) { return moment.wall * 1000; }
inline std::int64_t end_after(Moment start, Moment end) {
  return wall_us(start) + std::max<std::int64_t>(end.mono_ms - start.mono_ms, 0) * 1000;
}

/// An id or a code from outside, for an attribute: empty unless it is at most 128 of
/// A-Z a-z 0-9 _ - . : / @ +. Anything else may be free text.
std::string plain(std::string_view from_outside);

}  // namespace verbatim::traces
