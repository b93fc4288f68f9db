// Any client message in a session with locked instructions and voice. An accepted message changes
// neither, however lenient the provider's reader is. And an outline has what another parser finds.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

#include "base/json/outline.hpp"
#include "base/json/tree.hpp"
#include "session/policy/policy.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/letters.hpp"

using namespace verbatim;
using namespace verbatim::policy;
using namespace verbatim::protocol;
using Tree = Json;
using json::Outline;

namespace {

constexpr const char* bound =
    R"({"type":"realtime","instructions":"Be kind.","audio":{"output":{"voice":"marin"}}})";

Policy locked(std::vector<std::string> fields, MessageLimits limits = {}) {
  PolicyRules rules;
  rules.locked = std::move(fields);
  rules.message_limits = limits;
  return {std::move(rules), bound, "gpt-realtime"};
}

/// Compares names and roles as a lenient reader does.
std::string careless(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '_' || c == '-' || c == ' ' || c == '\t') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return out;
}

/// Everything that a lenient reader could take for the member: in an object, in a list that
/// contains one, in JSON within a string.
template <class Use>
void members(const Tree& where, std::string_view name, const Use& use, int depth = 0) {
  if (depth > 3) return;
  if (where.is_array()) {
    for (const Tree& one : where) members(one, name, use, depth + 1);
  } else if (where.is_string()) {
    const Tree inner = Tree::parse(where.get_ref<const std::string&>(), nullptr, false);
    if (inner.is_structured()) members(inner, name, use, depth + 1);
  } else if (where.is_object()) {
    for (auto member = where.begin(); member != where.end(); ++member)
      if (careless(member.key()) == name) use(member.value());
  }
}

void demand_unchanged(const Tree& asked) {
  const auto instructions = [](const Tree& value) { demand(value == "Be kind."); };
  const auto absent = [](const Tree& value) { demand(value.is_null()); };
  const auto voice = [](const Tree& value) { demand(value == "marin"); };
  members(asked, "instructions", instructions);
  members(asked, "prompt", absent);
  members(asked, "voice", [](const Tree&) { demand(false); });
  members(asked, "audio", [&](const Tree& audio) {
    members(audio, "output", [&](const Tree& output) { members(output, "voice", voice); });
  });
}

void demand_no_other_speaker(const Tree& item) {
  members(item, "role", [](const Tree& role) { demand(role == "user" || role == "assistant"); });
}

void demand_harmless(std::string_view type, const Tree& message) {
  if (type == "session.update" || type == "transcription_session.update")
    members(message, "session", demand_unchanged);
  if (type == "conversation.item.create") members(message, "item", demand_no_other_speaker);
  if (type != "response.create") return;
  members(message, "response", [](const Tree& response) {
    demand_unchanged(response);
    members(response, "input", demand_no_other_speaker);
  });
}

/// As a reader that recognises a name anywhere, except in the client's own content.
void demand_nowhere(const Tree& where, int depth = 0) {
  static constexpr std::string_view own[] = {"tools", "tool_choice", "metadata",
                                             "error", "annotations", "logprobs"};
  if (depth > 32) return;
  if (where.is_array()) {
    for (const Tree& one : where) demand_nowhere(one, depth + 1);
  }
  if (!where.is_object()) return;
  for (auto member = where.begin(); member != where.end(); ++member) {
    if (std::find(std::begin(own), std::end(own), member.key()) != std::end(own)) continue;
    const std::string name = letters(member.key());
    if (name == "instructions") demand(member.value() == "Be kind.");
    if (name == "voice") demand(member.value() == "marin");
    if (name == "role") demand(member.value() == "user" || member.value() == "assistant");
    demand_nowhere(member.value(), depth + 1);
  }
}

Tree rebuilt(const Outline& outline, Outline::Index value) {
  Tree tree;
  if (outline.is(value, json::Kind::object)) {
    tree = Tree::object();
    for (auto i = Outline::first(value); i < outline.end(value); i = outline.end(i))
      tree[outline.name(i)] = rebuilt(outline, i);
  } else if (outline.is(value, json::Kind::array)) {
    tree = Tree::array();
    for (auto i = Outline::first(value); i < outline.end(value); i = outline.end(i))
      tree.push_back(rebuilt(outline, i));
  } else if (outline.is(value, json::Kind::string)) {
    tree = outline.text(value);
  } else {
    tree = Tree::parse(outline.raw(value), nullptr, false);
  }
  return tree;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Policy some = locked({"instructions", "audio.output.voice"});
  static const Policy bound_fields = locked({"bound"});
  static const Policy all = locked({"all"});
  static const Policy strict = locked({"instructions"}, {20, 8});
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  if (check_client_message(message)) {
    const Outline of_anything(message);
    return 0;
  }
  const std::string_view type = peek_type(message);
  const Outline outline(message);
  const Tree tree = Tree::parse(message, nullptr, false);
  // Numbers out of range, which the other parser refuses.
  if (outline.fault() == Outline::Fault::none && !tree.is_discarded())
    demand(rebuilt(outline, 0) == tree);
  demand(outline.fault() != Outline::Fault::not_json);
  const bool passes_some = !some.refuse(type, message);
  if (passes_some && !tree.is_discarded()) {
    demand_harmless(type, tree);
    demand_nowhere(tree);
  }
  // With more locks, fewer messages pass.
  if (!all.refuse(type, message)) demand(!bound_fields.refuse(type, message));
  if (!bound_fields.refuse(type, message)) demand(passes_some);
  if (type == "session.update" && !strict.refuse(type, message))
    demand(outline.fault() == Outline::Fault::none);
  return 0;
}
