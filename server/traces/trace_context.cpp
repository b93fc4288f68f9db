#include "server/traces/trace_context.hpp"

#include <cstring>

#include "base/crypto.hpp"

namespace verbatim::traces {

namespace {

// "00-" TRACE "-" SPAN "-" FLAGS
constexpr std::size_t trace_at = 3;
constexpr std::size_t span_at = 36;
constexpr std::size_t flags_at = 53;
constexpr std::size_t length = 55;
constexpr unsigned sampled_flag = 1;

/// The value of a lower-case hexadecimal digit; 16: it is none.
unsigned digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  return 16;
}

template <std::size_t N>
bool read_hex(std::string_view text, std::array<unsigned char, N>& bytes) {
  for (std::size_t i = 0; i < N; ++i) {
    const unsigned high = digit(text[2 * i]);
    const unsigned low = digit(text[2 * i + 1]);
    if (high > 15 || low > 15) return false;
    bytes[i] = static_cast<unsigned char>(high << 4U | low);
  }
  return true;
}

template <std::size_t N>
std::string_view bytes_of(const std::array<unsigned char, N>& id) {
  return {reinterpret_cast<const char*>(id.data()), N};
}

}  // namespace

std::optional<SpanContext> read_traceparent(std::string_view header) {
  if (header.size() < length || header[2] != '-' || header[span_at - 1] != '-' ||
      header[flags_at - 1] != '-')
    return std::nullopt;
  std::array<unsigned char, 1> version{};
  std::array<unsigned char, 1> flags{};
  SpanContext context;
  if (!read_hex(header, version) || !read_hex(header.substr(trace_at), context.trace) ||
      !read_hex(header.substr(span_at), context.span) || !read_hex(header.substr(flags_at), flags))
    return std::nullopt;
  // A later version may have more after a dash; version 00 has nothing more.
  if (version[0] == 0xFF || (version[0] == 0 && header.size() != length) ||
      (header.size() > length && header[length] != '-'))
    return std::nullopt;
  if (!is_set(context.trace) || !is_set(context.span)) return std::nullopt;
  context.sampled = (flags[0] & sampled_flag) != 0;
  return context;
}

std::string traceparent(const SpanContext& context) {
  return "00-" + to_hex(bytes_of(context.trace)) + "-" + to_hex(bytes_of(context.span)) +
         (context.sampled ? "-01" : "-00");
}

TraceId trace_of_attempt(std::string_view session_id, int attempt, TimeMs started_at) {
  const std::string digest = sha256("verbatim trace " + std::to_string(attempt) + " " +
                                    std::to_string(started_at) + " " + std::string(session_id));
  TraceId id;
  std::memcpy(id.data(), digest.data(), id.size());
  return id;
}

bool is_within(const TraceId& trace, double ratio) {
  // The last 56 bits are random (W3C trace context, level 2).
  std::uint64_t number = 0;
  for (std::size_t i = 9; i < trace.size(); ++i) number = number << 8U | trace[i];
  constexpr double range = 72057594037927936.0;  // 2 to the power of 56
  return static_cast<double>(number) < ratio * range;
}

SpanIds::SpanIds() {
  const std::string seed = random_bytes(sizeof state_);
  std::memcpy(&state_, seed.data(), sizeof state_);
}

SpanId SpanIds::next() {
  // SplitMix64.
  std::uint64_t mixed = 0;
  while (mixed == 0) {  // an id is not zero
    mixed = state_ += 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    mixed ^= mixed >> 31U;
  }
  SpanId id;
  std::memcpy(id.data(), &mixed, id.size());
  return id;
}

}  // namespace verbatim::traces
