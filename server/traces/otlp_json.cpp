#include "server/traces/otlp_json.hpp"

#include <algorithm>
#include <charconv>

#include "base/crypto.hpp"
#include "base/json/tree.hpp"
#include "base/json/view.hpp"

namespace verbatim::traces {

namespace {

template <std::size_t N>
std::string hex(const std::array<unsigned char, N>& id) {
  return to_hex({reinterpret_cast<const char*>(id.data()), N});
}

/// OTLP counts nanoseconds.
std::string nanoseconds(std::int64_t us) { return std::to_string(us * 1000); }

struct ToOtlp {
  Json operator()(bool value) const { return {{"boolValue", value}}; }
  Json operator()(std::int64_t value) const { return {{"intValue", std::to_string(value)}}; }
  Json operator()(const std::string& value) const { return {{"stringValue", value}}; }
  Json operator()(const std::vector<std::string>& values) const {
    Json elements = Json::array();
    for (const std::string& value : values) elements.push_back((*this)(value));
    return {{"arrayValue", {{"values", std::move(elements)}}}};
  }
};

Json to_otlp(const Attributes& attributes) {
  Json all = Json::array();
  for (const auto& [name, value] : attributes)
    all.push_back({{"key", name}, {"value", std::visit(ToOtlp(), value.value())}});
  return all;
}

Json to_otlp(const SpanEvent& event) {
  return {{"timeUnixNano", nanoseconds(event.at_us)},
          {"name", event.name},
          {"attributes", to_otlp(event.attributes)}};
}

Json to_otlp(const Span& span) {
  constexpr int error = 2;
  constexpr int sampled = 1;
  Json out = {{"traceId", hex(span.trace)},
              {"spanId", hex(span.id)},
              {"flags", sampled},
              {"name", span.name},
              {"kind", static_cast<int>(span.kind)},
              {"startTimeUnixNano", nanoseconds(span.start_us)},
              {"endTimeUnixNano", nanoseconds(std::max(span.start_us, span.end_us))},
              {"attributes", to_otlp(span.attributes)},
              {"status", Json::object()}};
  if (is_set(span.parent)) out["parentSpanId"] = hex(span.parent);
  if (span.failed) out["status"]["code"] = error;
  if (!span.events.empty()) {
    Json events = Json::array();
    for (const SpanEvent& event : span.events) events.push_back(to_otlp(event));
    out["events"] = std::move(events);
  }
  return out;
}

}  // namespace

std::string export_request(const Attributes& resource, std::span<const Span> spans) {
  Json all = Json::array();
  for (const Span& span : spans) all.push_back(to_otlp(span));
  Json scope = {{"scope", {{"name", "verbatim"}, {"version", VERBATIM_VERSION}}},
                {"spans", std::move(all)}};
  Json of_us = {{"resource", {{"attributes", to_otlp(resource)}}},
                {"scopeSpans", Json::array({std::move(scope)})}};
  const Json request = {{"resourceSpans", Json::array({std::move(of_us)})}};
  // Values are plain or come from our configuration; an invalid byte must still not throw.
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::size_t rejected_spans(std::string_view answer) {
  // int64: a string in OTLP's JSON, but some collectors write a number.
  const json::View rejected = json::View::of(answer)["partialSuccess"]["rejectedSpans"];
  const std::string_view digits =
      rejected.is(json::Kind::string) ? rejected.plain_string() : rejected.raw();
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  return error == std::errc() && end == digits.data() + digits.size() ? count : 0;
}

}  // namespace verbatim::traces
