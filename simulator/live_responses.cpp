// Handles the client's events about responses, and plans the answers.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>

#include "simulator/live_session.hpp"

namespace verbatim::simulator {

namespace {

constexpr std::array<std::string_view, 12> response_fields = {
    "conversation", "input",  "output_modalities", "instructions",
    "metadata",     "tools",  "tool_choice",       "parallel_tool_calls",
    "audio",        "prompt", "max_output_tokens", "reasoning"};

std::string lowered(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool gap = c == '_' || c == '-';
    result += gap ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

/// Arguments that fit the first level of a function's schema.
std::string invented_arguments(const OrderedJson& tool) {
  OrderedJson arguments = OrderedJson::object();
  const OrderedJson schema = tool.value("parameters", OrderedJson::object());
  const OrderedJson properties =
      schema.is_object() ? schema.value("properties", OrderedJson::object()) : schema;
  for (const auto& [name, property] : properties.items()) {
    const auto type = property.value("type", std::string("string"));
    const auto choices = property.find("enum");
    if (choices != property.end() && choices->is_array() && !choices->empty()) {
      arguments[name] = choices->front();
    } else if (type == "number" || type == "integer") {
      arguments[name] = 1;
    } else if (type == "boolean") {
      arguments[name] = true;
    } else if (type == "array") {
      arguments[name] = OrderedJson::array();
    } else if (type == "object") {
      arguments[name] = OrderedJson::object();
    } else {
      arguments[name] = "example";
    }
  }
  return arguments.dump();
}

/// The function to call, or nullptr.
const OrderedJson* called_tool(const OrderedJson& tools, const OrderedJson& choice,
                               const std::string& user_text) {
  if (!tools.is_array() || choice == "none") return nullptr;
  const std::string wish = lowered(user_text);
  for (const OrderedJson& tool : tools) {
    if (!tool.is_object() || tool.value("type", "") != "function") continue;
    const auto name = tool.value("name", std::string());
    if (name.empty()) continue;
    const bool named = choice.is_object() && choice.value("name", "") == name;
    const bool asked = !choice.is_object() && wish.find(lowered(name)) != wish.npos;
    if (named || asked || choice == "required") return &tool;
  }
  return nullptr;
}

}  // namespace

Response* LiveSession::active() {
  for (const auto& response : responses_) {
    if (response->in_conversation()) return response.get();
  }
  return nullptr;
}

ResponsePlan LiveSession::default_plan() const {
  const OrderedJson& session = config_.json();
  ResponsePlan plan;
  plan.conversation_id = conversation_id_;
  plan.modalities = session["output_modalities"];
  plan.audio_output = session["audio"]["output"];
  plan.max_output_tokens = session["max_output_tokens"];
  plan.input_text_tokens = 10 + conversation_.text_tokens();
  plan.input_audio_tokens = static_cast<std::size_t>(unanswered_audio_ms_) / 100;
  return plan;
}

void LiveSession::choose_words(const OrderedJson& request, ResponsePlan& plan) {
  ++answers_;
  std::string typed;
  const ConversationItem* const last = conversation_.last();
  OrderedJson last_item = last == nullptr ? OrderedJson::object() : last->json;
  if (const auto input = request.find("input"); input != request.end() && input->is_array()) {
    last_item = OrderedJson::object();
    for (const OrderedJson& given : *input) {
      const ConversationItem* const known =
          given.value("type", "") == "item_reference"
              ? conversation_.find(given.value("id", std::string()))
              : nullptr;
      last_item = known == nullptr ? given : known->json;
      if (last_item.value("role", "") == "user") typed = text_of(last_item);
    }
  } else if (last_item.value("role", "") != "assistant") {
    typed = conversation_.last_typed();
  }
  if (last_item.value("type", "") == "function_call_output") {
    plan.words = "The tool says: ";
    plan.words += shortened(last_item["output"].get_ref<const std::string&>(), 400);
    return;
  }
  const OrderedJson& session = config_.json();
  const OrderedJson tools = request.value("tools", session["tools"]);
  if (const OrderedJson* tool =
          called_tool(tools, request.value("tool_choice", session["tool_choice"]), typed)) {
    plan.call_name = (*tool)["name"].get<std::string>();
    plan.words = invented_arguments(*tool);
    if (profile_.talks_before_call) plan.words_first = "Let me look that up.";
    return;
  }
  plan.words = typed.empty() ? script_.answer(answers_) : Script::echo(typed);
}

void LiveSession::start_response(ResponsePlan plan, std::int64_t now_ms) {
  unanswered_audio_ms_ = 0;
  if (faults_.fail_response > 0 && random_.chance(faults_.fail_response)) {
    plan.failure = "insufficient_quota";
  }
  responses_.push_back(std::make_unique<Response>(std::move(plan), emitter_, conversation_,
                                                  Random(random_.next()), pace_, now_ms));
  model_has_spoken_ = model_has_spoken_ || responses_.back()->spoken();
}

void LiveSession::send_rate_limits() {
  if (!random_.chance(0.5)) return;
  const auto remaining = static_cast<std::int64_t>(15'000'000 - 100 - random_.below(900));
  emitter_.send("rate_limits.updated",
                {{"rate_limits", OrderedJson::array({{{"name", "tokens"},
                                                      {"limit", 15'000'000},
                                                      {"remaining", remaining},
                                                      {"reset_seconds", 0.002}}})}});
}

LiveSession::Refusal LiveSession::create_response(const OrderedJson& event, std::int64_t now_ms) {
  const OrderedJson request = event.value("response", OrderedJson::object());
  if (!request.is_object()) {
    return ClientFault{"invalid_type", "Invalid type for 'response': expected an object.",
                       "response"};
  }
  for (const auto& member : request.items()) {
    if (std::find(response_fields.begin(), response_fields.end(), member.key()) ==
        response_fields.end()) {
      const std::string param = "response." + member.key();
      return ClientFault{"unknown_parameter", "Unknown parameter: '" + param + "'.", param};
    }
  }
  ResponsePlan plan = default_plan();
  if (request.contains("output_modalities")) {
    plan.modalities = request["output_modalities"];
    if (auto fault = check_modalities(plan.modalities, "response.output_modalities")) return fault;
  }
  const OrderedJson audio = request.value("audio", OrderedJson::object());
  if (audio.is_object() && audio.contains("output")) {
    if (auto fault = check_audio_output(audio["output"], "response.audio.output", profile_))
      return fault;
    plan.audio_output.update(audio["output"]);
  }
  plan.max_output_tokens = request.value("max_output_tokens", plan.max_output_tokens);
  plan.metadata = request.value("metadata", OrderedJson());
  const bool out_of_band = request.value("conversation", OrderedJson("auto")) == "none";
  if (out_of_band) plan.conversation_id = nullptr;
  const Response* const running = active();
  if (!out_of_band && running != nullptr) {
    return ClientFault{"conversation_already_has_active_response",
                       "Conversation already has an active response in progress: " + running->id() +
                           ". Wait until the response is finished before creating a new one.",
                       ""};
  }
  if (responses_.size() >= 16) {
    return ClientFault{"rate_limit_exceeded", "Too many responses at once.", ""};
  }
  choose_words(request, plan);
  start_response(std::move(plan), now_ms);
  return std::nullopt;
}

LiveSession::Refusal LiveSession::cancel_response(const OrderedJson& event, std::int64_t) {
  const auto wanted = event.find("response_id");
  const auto found = std::find_if(responses_.begin(), responses_.end(), [&](const auto& response) {
    return wanted == event.end() || wanted->is_null() ? response->in_conversation()
                                                      : *wanted == response->id();
  });
  if (found == responses_.end()) {
    return ClientFault{"response_cancel_not_active",
                       "Cancellation failed: no active response found", ""};
  }
  (*found)->cancel("client_cancelled");
  responses_.erase(found);
  return std::nullopt;
}

}  // namespace verbatim::simulator
