#include "server/traces/usage_attributes.hpp"

#include "base/json/view.hpp"
#include "server/traces/span_names.hpp"

namespace verbatim::traces {

namespace {

void add_count(Span& span, std::string_view name, json::View count) {
  if (const auto number = count.integer(); number && *number >= 0)
    span.attributes.emplace_back(name, *number);
}

}  // namespace

void add_usage(Span& span, std::string_view usage) {
  const json::View all = json::View::of(usage);
  if (!all.is(json::Kind::object)) return;
  const json::View input = all["input_token_details"];
  add_count(span, names::input_tokens, all["input_tokens"]);
  add_count(span, names::output_tokens, all["output_tokens"]);
  add_count(span, names::input_audio_tokens, input["audio_tokens"]);
  add_count(span, names::output_audio_tokens, all["output_token_details"]["audio_tokens"]);
  add_count(span, names::cached_tokens, input["cached_tokens"]);
}

}  // namespace verbatim::traces
