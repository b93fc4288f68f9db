// The members of client messages in OpenAI's Realtime protocol, GA and beta.
#include "session/protocol/openai/known_places.hpp"

#include <algorithm>

namespace verbatim::protocol::openai {
namespace {

constexpr KnownMember audio_format[] = {{"type"}, {"rate"}};

constexpr KnownMember transcription[] = {{"model"},    {"language"}, {"languages"}, {"prompt"},
                                         {"keywords"}, {"delay"},    {"include"}};

constexpr KnownMember noise_reduction[] = {{"type"}, {"strength"}};

constexpr KnownMember end_of_utterance[] = {
    {"model"}, {"threshold"}, {"threshold_level"}, {"timeout"}, {"timeout_ms"}};

constexpr KnownMember turn_detection[] = {
    {"type"},
    {"threshold"},
    {"prefix_padding_ms"},
    {"silence_duration_ms"},
    {"idle_timeout_ms"},
    {"create_response"},
    {"interrupt_response"},
    {"eagerness"},
    {"model_version"},
    {"end_of_utterance_detection", Holds::members, end_of_utterance},  // Azure's
};

constexpr KnownMember audio_input[] = {
    {"format", Holds::members, audio_format},
    {"transcription", Holds::members, transcription},
    {"noise_reduction", Holds::members, noise_reduction},
    {"turn_detection", Holds::members, turn_detection},
};

// A string names one of the provider's voices; an object is a customer's own voice, or Azure's.
constexpr KnownMember voice[] = {{"id"},          {"name"},        {"type"},
                                 {"endpoint_id"}, {"temperature"}, {"style"}};

constexpr KnownMember audio_output[] = {
    {"format", Holds::members, audio_format},
    {"voice", Holds::members, voice},
    {"speed"},
    {"language"},
};

constexpr KnownMember audio[] = {{"input", Holds::members, audio_input},
                                 {"output", Holds::members, audio_output}};

constexpr KnownMember tracing[] = {{"workflow_name"}, {"group_id"}, {"metadata", Holds::free}};

constexpr KnownMember reasoning[] = {{"effort"}};

constexpr KnownMember token_limits[] = {{"post_instructions"}};

constexpr KnownMember truncation[] = {
    {"type"}, {"retention_ratio"}, {"token_limits", Holds::members, token_limits}};

constexpr KnownMember expires_after[] = {{"anchor"}, {"seconds"}};

constexpr KnownMember client_secret[] = {
    {"value"}, {"expires_at"}, {"expires_after", Holds::members, expires_after}};

/// Members of GA and beta; compatible servers know both.
constexpr KnownMember session[] = {
    {"type"},
    {"id"},
    {"object"},
    {"expires_at"},
    {"model"},
    {"instructions"},
    {"prompt", Holds::free},
    {"output_modalities"},
    {"modalities"},
    {"audio", Holds::members, audio},
    {"voice", Holds::members, voice},
    {"speed"},
    {"input_audio_format", Holds::members, audio_format},
    {"output_audio_format", Holds::members, audio_format},
    {"input_audio_transcription", Holds::members, transcription},
    {"input_audio_noise_reduction", Holds::members, noise_reduction},
    {"turn_detection", Holds::members, turn_detection},
    {"tools", Holds::frees},
    {"tool_choice", Holds::free},
    {"parallel_tool_calls"},
    {"reasoning", Holds::members, reasoning},
    {"max_output_tokens"},
    {"max_response_output_tokens"},
    {"temperature"},
    {"truncation", Holds::members, truncation},
    {"tracing", Holds::members, tracing},
    {"include"},
    {"client_secret", Holds::members, client_secret},
};

constexpr KnownMember image_url[] = {{"url"}, {"detail"}};

constexpr KnownMember part[] = {
    {"type"},
    {"id"},
    {"text"},
    {"audio"},
    {"transcript"},
    {"format"},
    {"detail"},
    {"image_url", Holds::members, image_url},
    {"file_id"},
    {"file_data"},
    {"filename"},
    {"file_url"},
    {"refusal"},
    {"annotations", Holds::frees},
    {"logprobs", Holds::frees},
};

constexpr KnownMember of_every_item[] = {{"id"}, {"object"}, {"type"}, {"status"}, {"role"}};

constexpr KnownMember message[] = {{"content", Holds::list, part}};

constexpr KnownMember function_call[] = {{"call_id"}, {"name"}, {"arguments"}};

constexpr KnownMember function_call_output[] = {{"call_id"}, {"output", Holds::list, part}};

constexpr KnownMember mcp_call[] = {{"server_label"},
                                    {"name"},
                                    {"arguments"},
                                    {"approval_request_id"},
                                    {"output", Holds::list, part},
                                    {"error", Holds::free}};

constexpr KnownMember mcp_list_tools[] = {
    {"server_label"}, {"tools", Holds::frees}, {"error", Holds::free}};

constexpr KnownMember mcp_approval_request[] = {{"server_label"}, {"name"}, {"arguments"}};

constexpr KnownMember mcp_approval_response[] = {{"approval_request_id"}, {"approve"}, {"reason"}};

constexpr KnownMember response[] = {
    {"conversation"},
    {"input", Holds::items},
    {"metadata", Holds::free},
    {"instructions"},
    {"prompt", Holds::free},
    {"output_modalities"},
    {"modalities"},
    {"audio", Holds::members, audio},
    {"voice", Holds::members, voice},
    {"speed"},
    {"output_audio_format", Holds::members, audio_format},
    {"tools", Holds::frees},
    {"tool_choice", Holds::free},
    {"parallel_tool_calls"},
    {"reasoning", Holds::members, reasoning},
    {"max_output_tokens"},
    {"max_response_output_tokens"},
    {"temperature"},
};

constexpr KnownMember of_session[] = {{"session", Holds::members, session}};
constexpr KnownMember of_response[] = {{"response", Holds::members, response}};
constexpr KnownMember of_item[] = {{"previous_item_id"}, {"item", Holds::item}};
constexpr KnownMember of_append[] = {{"audio"}};
constexpr KnownMember of_item_id[] = {{"item_id"}};
constexpr KnownMember of_truncate[] = {{"item_id"}, {"content_index"}, {"audio_end_ms"}};
constexpr KnownMember of_cancel[] = {{"response_id"}};

// The most frequent first.
constexpr KnownType events[] = {
    {"input_audio_buffer.append", of_append},
    {"conversation.item.create", of_item},
    {"conversation.item.delete", of_item_id},
    {"conversation.item.retrieve", of_item_id},
    {"conversation.item.truncate", of_truncate},
    {"input_audio_buffer.clear", {}},
    {"input_audio_buffer.commit", {}},
    {"output_audio_buffer.clear", {}},
    {"response.cancel", of_cancel},
    {"response.create", of_response},
    {"session.update", of_session},
    {"transcription_session.update", of_session},
};

constexpr KnownType items[] = {
    {"message", message},
    {"function_call", function_call},
    {"function_call_output", function_call_output},
    {"item_reference", {}},
    {"mcp_call", mcp_call},
    {"mcp_list_tools", mcp_list_tools},
    {"mcp_approval_request", mcp_approval_request},
    {"mcp_approval_response", mcp_approval_response},
};

/// Part types of GA and beta; input_file and refusal belong to other protocols of the same
/// provider.
constexpr std::string_view part_types[] = {
    "input_text",   "input_audio", "input_image", "input_file",     "output_text",
    "output_audio", "text",        "audio",       "item_reference", "refusal"};

bool may_be_part_type(std::string_view type) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return (type.starts_with("input_") || type.starts_with("output_")) &&
         std::all_of(type.begin(), type.end(), is_plain);
}

}  // namespace

constinit const KnownPlaces known_places{events,        session,    items,
                                         of_every_item, part_types, may_be_part_type};

}  // namespace verbatim::protocol::openai
