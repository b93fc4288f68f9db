// The beta protocol behind client_dialect.hpp: events with another name, another shape or no
// counterpart. The shapes are in beta_shapes. Stateless; any thread.
#include "session/protocol/clients/beta_dialect.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/json/writer.hpp"
#include "session/protocol/clients/beta_shapes.hpp"
#include "session/protocol/openai/event_reader.hpp"

namespace verbatim::protocol {
namespace {

struct Rule {
  std::string_view from;
  std::string_view to;           ///< empty: no counterpart
  std::string_view member = {};  ///< the member whose shape differs
  std::string (*shape)(json::View) = nullptr;
};

// Sorted by name. Events that are not listed are the same in both protocols.
constexpr Rule client_rules[] = {
    {"conversation.item.create", "conversation.item.create", "item", beta::ga_item},
    {"response.create", "response.create", "response", beta::ga_response},
    {"session.update", "session.update", "session", beta::ga_session},
    {"transcription_session.update", "session.update", "session", beta::ga_transcription_session},
};

constexpr Rule server_rules[] = {
    {"conversation.item.added", "conversation.item.created", "item", beta::beta_item},
    {"conversation.item.created", "conversation.item.created", "item", beta::beta_item},
    {"conversation.item.done", ""},  // `added` and the deltas carry all of it
    {"conversation.item.input_audio_transcription.segment", ""},
    {"conversation.item.retrieved", "conversation.item.retrieved", "item", beta::beta_item},
    {"error", "error", "error", beta::beta_error},
    {"input_audio_buffer.dtmf_event_received", ""},
    {"input_audio_buffer.timeout_triggered", ""},
    {"mcp_list_tools.completed", ""},
    {"mcp_list_tools.failed", ""},
    {"mcp_list_tools.in_progress", ""},
    {"response.content_part.added", "response.content_part.added", "part", beta::beta_part},
    {"response.content_part.done", "response.content_part.done", "part", beta::beta_part},
    {"response.created", "response.created", "response", beta::beta_response},
    {"response.done", "response.done", "response", beta::beta_response},
    {"response.mcp_call.completed", ""},
    {"response.mcp_call.failed", ""},
    {"response.mcp_call.in_progress", ""},
    {"response.mcp_call_arguments.delta", ""},
    {"response.mcp_call_arguments.done", ""},
    {"response.output_audio.delta", "response.audio.delta"},
    {"response.output_audio.done", "response.audio.done"},
    {"response.output_audio_transcript.delta", "response.audio_transcript.delta"},
    {"response.output_audio_transcript.done", "response.audio_transcript.done"},
    {"response.output_item.added", "response.output_item.added", "item", beta::beta_item},
    {"response.output_item.done", "response.output_item.done", "item", beta::beta_item},
    {"response.output_text.delta", "response.text.delta"},
    {"response.output_text.done", "response.text.done"},
    {"session.created", "session.created", "session", beta::beta_session},
    {"session.updated", "session.updated", "session", beta::beta_session},
};

constexpr bool by_name(const Rule& left, const Rule& right) { return left.from < right.from; }
static_assert(std::is_sorted(std::begin(client_rules), std::end(client_rules), by_name));
static_assert(std::is_sorted(std::begin(server_rules), std::end(server_rules), by_name));

template <std::size_t N>
const Rule* find(const Rule (&rules)[N], std::string_view type) {
  const auto* rule = std::lower_bound(std::begin(rules), std::end(rules), Rule{type, {}}, by_name);
  return rule != std::end(rules) && rule->from == type ? rule : nullptr;
}

std::string rewritten(json::View event, const Rule& rule, std::string_view name) {
  // Azure sends a part twice, the second time under another name.
  const std::string_view twin = rule.member == "part" ? "content" : rule.member;
  json::ObjectWriter out;
  for (json::Members own(event); own.next();) {
    if (own.key() == "type") {
      out.add("type", json::quoted(name));
    } else if (own.key() == rule.member || own.key() == twin) {
      out.add(own.key(), rule.shape(own.value()));
    } else {
      out.add(own.key(), own.value().raw());
    }
  }
  return out.text();
}

class BetaDialect final : public ClientDialect {
 public:
  void to_provider(Message& message) const override {
    const Rule* rule = find(client_rules, peek_type(message.bytes));
    // An invalid message stays unchanged, so that the refusal quotes what the client wrote.
    if (rule == nullptr || check_client_message(message.bytes)) return;
    message.bytes = rewritten(json::View::of(message.bytes), *rule, rule->to);
  }

  bool to_client(Message& message) const override {
    std::string& bytes = message.bytes;
    const std::string_view type = peek_type(bytes);
    const Rule* rule = find(server_rules, type);
    if (rule == nullptr) return true;
    if (rule->to.empty()) return false;
    if (rule->shape == nullptr) {
      // Deltas, also of audio: replace only the name, in place.
      bytes.replace(static_cast<std::size_t>(type.data() - bytes.data()), type.size(), rule->to);
      return true;
    }
    if (json::check(bytes)) return true;  // invalid JSON of the provider is passed on unchanged
    const auto event = json::View::of(bytes);
    const bool transcription =
        rule->member == "session" && event["session"]["type"].between_quotes() == "transcription";
    const std::string name = (transcription ? "transcription_" : "") + std::string(rule->to);
    bytes = rewritten(event, *rule, name);
    return true;
  }
};

}  // namespace

const ClientDialect& beta_dialect() {
  static const BetaDialect beta;
  return beta;
}

}  // namespace verbatim::protocol
