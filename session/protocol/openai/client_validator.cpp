// examine_client_message() of event_reader.hpp: validates client messages. Pure; any thread;
// untrusted input.
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <string>
#include <vector>

#include "base/json/plain_name.hpp"
#include "base/json/view.hpp"
#include "session/protocol/openai/event_reader.hpp"

namespace verbatim::protocol {
namespace {

/// The top level of a message, read in one pass.
struct Envelope {
  /// A key that two parsers could read differently: it occurs twice, or contains escapes. Some
  /// parsers decode escapes before they compare keys, others do not.
  std::optional<std::string_view> ambiguous_key;
  json::View type;
  json::View event_id;
  bool too_many = false;
};

/// More members than any event has. The limit bounds the time for reading and sorting the names.
constexpr std::size_t top_level_members_max = 1000;

/// A name that some parsers read as `type`.
bool is_type_in_other_letters(std::string_view key) {
  return key != "type" && reads_as(key, "type");
}

/// Precondition: json::check() has accepted the message, and it is an object.
Envelope read_envelope(std::string_view message) {
  Envelope envelope;
  std::array<std::byte, 1024> here;  // enough for the keys of any known event; more are allocated
  std::pmr::monotonic_buffer_resource memory(here.data(), here.size());
  std::pmr::vector<std::string_view> keys(&memory);
  keys.reserve(8);
  for (auto members = json::Members::begun(message); members.next();) {
    const std::string_view key = members.key();
    if (!envelope.ambiguous_key && (key.find('\\') != key.npos || is_type_in_other_letters(key)))
      envelope.ambiguous_key = key;
    if (key == "type" && !envelope.type.exists()) envelope.type = members.value();
    if (key == "event_id" && !envelope.event_id.exists()) envelope.event_id = members.value();
    keys.push_back(key);
    envelope.too_many = keys.size() > top_level_members_max;
    if (envelope.too_many) return envelope;
  }
  if (envelope.ambiguous_key) return envelope;
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  if (twice != keys.end()) envelope.ambiguous_key = *twice;
  return envelope;
}

/// Quotes client input for an error message: at most 64 bytes, all but printable ASCII replaced by
/// '?'.
std::string quoted(std::string_view word) {
  std::string out = "'";
  for (const char c : word.substr(0, 64)) out += c >= ' ' && c <= '~' ? c : '?';
  return out + (word.size() > 64 ? "...'" : "'");
}

std::string known_types() {
  return "conversation.item.create, conversation.item.delete, conversation.item.retrieve, "
         "conversation.item.truncate, input_audio_buffer.append, input_audio_buffer.clear, "
         "input_audio_buffer.commit, output_audio_buffer.clear, response.cancel, "
         "response.create, session.update";
}

/// The event_id of a message that is too large to read is looked for in its first bytes.
constexpr std::size_t early_bytes = 4096;

}  // namespace

ClientMessage examine_client_message(std::string_view message,
                                     const std::vector<std::string>& extra_types,
                                     std::size_t values_max) {
  if (const auto fault = json::check(message, values_max)) {
    if (fault->too_many_values)
      return {too_many_values(values_max, named_event_id(message.substr(0, early_bytes)))};
    return {Refusal{"invalid_json",
                    "The message is not valid JSON: " + std::string(fault->what) + " at byte " +
                        std::to_string(fault->offset) + ". Send one JSON object per message.",
                    {},
                    {}}};
  }
  if (message[message.find_first_not_of(" \t\n\r")] != '{') {
    return {Refusal{"invalid_json", "The message must be one JSON object with a 'type'.", {}, {}}};
  }

  const Envelope envelope = read_envelope(message);
  const std::string event_id = quotable_event_id(envelope.event_id.string_or_empty());
  const auto refuse = [&event_id](std::string code, std::string what, std::string param) {
    return ClientMessage{Refusal{std::move(code), std::move(what), std::move(param), event_id}};
  };

  if (envelope.too_many) {
    return refuse("invalid_value",
                  "The message has more than " + std::to_string(top_level_members_max) +
                      " members. Send one event of the protocol per message.",
                  {});
  }
  if (const auto& key = envelope.ambiguous_key) {
    return refuse(
        "invalid_value",
        "The top-level key " + quoted(*key) +
            " occurs twice, or is written with escapes, other case or extra characters. Write each "
            "key once, exactly as in the protocol.",
        key->find('\\') != key->npos ? std::string() : std::string(key->substr(0, 64)));
  }
  if (!envelope.type.exists()) {
    return refuse("missing_required_parameter",
                  "The message has no 'type'. Add one of: " + known_types() + ".", "type");
  }
  const auto name = envelope.type.plain_string();
  if (name.empty()) {
    return refuse("invalid_value", "The 'type' must be a non-empty string without escapes.",
                  "type");
  }
  if (!is_client_event(name) &&
      std::find(extra_types.begin(), extra_types.end(), name) == extra_types.end()) {
    return refuse(
        "invalid_value",
        "Invalid value: " + quoted(name) + ". Supported values are: " + known_types() + ".",
        "type");
  }
  return {std::nullopt, name};
}

std::optional<Refusal> check_client_message(std::string_view message,
                                            const std::vector<std::string>& extra_types,
                                            std::size_t values_max) {
  return examine_client_message(message, extra_types, values_max).refusal;
}

}  // namespace verbatim::protocol
