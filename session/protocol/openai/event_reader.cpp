#include "session/protocol/openai/event_reader.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/json/view.hpp"
#include "session/protocol/base64_length.hpp"
#include "session/protocol/error_code.hpp"
#include "session/protocol/openai/audio_format.hpp"
#include "session/transcript/item_content.hpp"

namespace verbatim::protocol {
namespace {

using json::Kind;
using json::Object;
using json::View;

using Body = std::optional<transcript::EventBody>;

// ---- The provider's objects ----

/// Of a session: transcription and output format, in the shape of GA (nested) or beta (flat).
struct AudioSettings {
  bool transcription_on = false;
  int output_bytes_per_ms = 48;
};

AudioSettings read_settings(View session) {
  const View audio = session["audio"];
  const View transcription = audio["input"]["transcription"];
  const View format = audio["output"]["format"];
  const View beta_transcription = session["input_audio_transcription"];
  const View beta_format = session["output_audio_format"];
  return {transcription.is(Kind::object) || beta_transcription.is(Kind::object),
          bytes_per_ms(format.exists() ? format : beta_format)};
}

transcript::ItemKind item_kind(View item) {
  const auto type = item["type"].between_quotes();
  if (type == "message" || (type.empty() && item["role"].exists()))
    return transcript::ItemKind::message;
  if (type == "function_call") return transcript::ItemKind::function_call;
  if (type == "function_call_output") return transcript::ItemKind::function_call_output;
  return transcript::ItemKind::other;
}

transcript::ItemStatus item_status(std::string_view status) {
  if (status == "in_progress") return transcript::ItemStatus::in_progress;
  if (status == "completed") return transcript::ItemStatus::completed;
  if (status == "incomplete") return transcript::ItemStatus::incomplete;
  return transcript::ItemStatus::none;
}

/// Members that may hold the text besides the documented one: compatible servers mix them up.
constexpr std::string_view word_members[] = {"text", "transcript", "refusal", "delta"};

/// The value of `member`; if absent, the first other member with text. Absent if there is none. Of
/// another kind if `member` holds something else.
template <class From>
View words_in(From& from, std::string_view member) {
  View value = from[member];
  if (value.is(Kind::object) && value["value"].is(Kind::string)) value = value["value"];
  if (value.exists() && !value.is(Kind::null)) return value;
  for (const std::string_view other : word_members)
    if (const View found = from[other]; found.is(Kind::string)) return found;
  return value;
}

/// A content part that can hold text; nullopt for images and unknown kinds (rule 11). Some
/// compatible servers send a plain string, or leave out the type.
std::optional<transcript::Part> read_part(View part, int content_index) {
  if (part.is(Kind::string))
    return transcript::Part{content_index, Text::from_wtf8(*part.string()), false};
  const auto type = part["type"].between_quotes();
  const bool untyped = type.empty() && part["text"].is(Kind::string);
  if (!transcript::is_text_part(type) && !untyped && type != "refusal") return std::nullopt;
  const View words = words_in(part, transcript::is_audio_part(type) ? "transcript" : "text");
  return transcript::Part{content_index, Text::from_wtf8(words.string_or_empty()),
                          type == "input_audio"};
}

transcript::Item read_item(View view) {
  transcript::Item item;
  item.id = view["id"].string_or_empty();
  item.kind = item_kind(view);
  item.status = item_status(view["status"].between_quotes());
  if (item.kind != transcript::ItemKind::message) {
    item.detail = view.raw();
    return item;
  }
  item.role = transcript::role_from_string(view["role"].between_quotes())
                  .value_or(transcript::Role::unknown);
  const View content = view["content"];
  if (content.is(Kind::string) || content.is(Kind::object))
    if (auto part = read_part(content, 0)) item.parts.push_back(std::move(*part));
  int index = 0;
  for (json::Elements parts(content); parts.next(); ++index)
    if (auto part = read_part(parts.value(), index)) item.parts.push_back(std::move(*part));
  item.detail = transcript::beyond_text(view);
  return item;
}

bool is_out_of_band(View response) { return response["conversation_id"].is(Kind::null); }

constexpr std::int64_t index_max = 1'000'000;

int content_index(Object& message) {
  const auto index = message["content_index"].integer().value_or(0);
  return index >= 0 && index <= index_max ? static_cast<int>(index) : 0;
}

int output_index(Object& message) {
  const auto index = message["output_index"].integer();
  return index && *index >= 0 && *index <= index_max ? static_cast<int>(*index)
                                                     : transcript::no_output_index;
}

// ---- One reader for each kind of event ----

Body session_created(Object& message) {
  const View session = message["session"];
  const auto settings = read_settings(session);
  return transcript::UpstreamOpened{session["id"].string_or_empty(),
                                    session["expires_at"].integer().value_or(0),
                                    settings.transcription_on, settings.output_bytes_per_ms};
}

Body session_updated(Object& message) {
  const auto settings = read_settings(message["session"]);
  return transcript::SessionConfigured{settings.transcription_on, settings.output_bytes_per_ms};
}

transcript::ItemPlaced placed_after(View previous) {
  transcript::ItemPlaced placed;
  if (previous.is(Kind::null)) placed.place = transcript::Position::front;
  if (previous.is(Kind::string)) placed.place = transcript::Position::after;
  placed.previous = previous.string_or_empty();
  return placed;
}

Body item_added(Object& message) {
  auto placed = placed_after(message["previous_item_id"]);
  placed.item = read_item(message["item"]);
  return placed;
}

Body buffer_committed(Object& message) {
  auto placed = placed_after(message["previous_item_id"]);
  placed.committed = true;
  placed.item.id = message["item_id"].string_or_empty();
  placed.item.role = transcript::Role::user;
  return placed;
}

template <bool retrieved>
Body item_snapshot(Object& message) {
  return transcript::ItemSnapshot{read_item(message["item"]), retrieved};
}

template <bool done>
Body output_item(Object& message) {
  return transcript::OutputItem{message["response_id"].string_or_empty(),
                                read_item(message["item"]), done, output_index(message)};
}

/// The event's text; empty if there is none. nullopt if the member is not text.
std::optional<Text> text_in(Object& message, std::string_view member) {
  const View value = words_in(message, member);
  if (auto text = value.string()) return Text::from_wtf8(std::move(*text));
  if (value.exists() && !value.is(Kind::null)) return std::nullopt;
  return Text();
}

template <bool transcription>
Body text_delta(Object& message) {
  auto text = text_in(message, "delta");
  if (!text) return transcript::TextUnplaced{transcript::Unplaced::not_text};
  return transcript::TextDelta{message["item_id"].string_or_empty(),
                               message["response_id"].string_or_empty(),
                               content_index(message),
                               transcription,
                               std::move(*text),
                               output_index(message)};
}

Body done_with(Object& message, bool transcription, std::string_view member) {
  auto text = text_in(message, member);
  if (!text) return transcript::TextUnplaced{transcript::Unplaced::not_text};
  return transcript::TextDone{message["item_id"].string_or_empty(),
                              message["response_id"].string_or_empty(),
                              content_index(message),
                              transcription,
                              std::move(*text),
                              output_index(message)};
}

Body transcription_completed(Object& message) { return done_with(message, true, "transcript"); }
Body transcript_done(Object& message) { return done_with(message, false, "transcript"); }
Body text_done(Object& message) { return done_with(message, false, "text"); }

Body part_done(Object& message) {
  const View part = message["part"].exists() ? message["part"] : message["content"];
  auto read = read_part(part, content_index(message));
  if (!read) return std::nullopt;
  return transcript::PartSnapshot{message["item_id"].string_or_empty(),
                                  message["response_id"].string_or_empty(), read->content_index,
                                  std::move(read->text), output_index(message)};
}

Body transcription_failed(Object& message) {
  const View error = message["error"];
  auto reason = plain_code({error["code"], error["type"]});
  if (reason.empty()) reason = "transcription_failed";
  return transcript::TranscriptionFailed{message["item_id"].string_or_empty(),
                                         content_index(message), std::move(reason)};
}

/// A string; some servers send the JSON itself.
Text arguments_of(View given) {
  if (given.is(Kind::object) || given.is(Kind::array))
    return Text::from_wtf8(std::string(given.raw()));
  return Text::from_wtf8(given.string_or_empty());
}

template <bool mcp, bool whole>
Body tool_arguments(Object& message) {
  return transcript::ToolArguments{message["item_id"].string_or_empty(),
                                   message["response_id"].string_or_empty(),
                                   message["call_id"].string_or_empty(),
                                   message["name"].string_or_empty(),
                                   arguments_of(message[whole ? "arguments" : "delta"]),
                                   mcp,
                                   whole,
                                   output_index(message)};
}

template <transcript::ToolStatus status>
Body tool_progress(Object& message) {
  return transcript::ToolProgress{message["item_id"].string_or_empty(), status,
                                  output_index(message)};
}

Body audio_delta(Object& message) {
  return transcript::AudioDelta{message["item_id"].string_or_empty(), content_index(message),
                                decoded_length(message["delta"].between_quotes()),
                                message["response_id"].string_or_empty(), output_index(message)};
}

Body speech_started(Object& message) {
  return transcript::SpeechStarted{message["item_id"].string_or_empty(),
                                   message["audio_start_ms"].integer().value_or(0)};
}

Body speech_stopped(Object& message) {
  return transcript::SpeechStopped{message["item_id"].string_or_empty(),
                                   message["audio_end_ms"].integer().value_or(0)};
}

Body buffer_cleared(Object&) { return transcript::BufferCleared{}; }

Body response_created(Object& message) {
  const View response = message["response"];
  return transcript::ResponseStarted{response["id"].string_or_empty(), is_out_of_band(response)};
}

transcript::ResponseStatus response_status(std::string_view status) {
  if (status == "completed") return transcript::ResponseStatus::completed;
  if (status == "cancelled") return transcript::ResponseStatus::cancelled;
  if (status == "incomplete") return transcript::ResponseStatus::incomplete;
  if (status == "failed") return transcript::ResponseStatus::failed;
  return transcript::ResponseStatus::other;
}

Body response_done(Object& message) {
  const View response = message["response"];
  transcript::ResponseEnded ended;
  ended.response_id = response["id"].string_or_empty();
  ended.out_of_band = is_out_of_band(response);
  ended.status = response_status(response["status"].between_quotes());
  ended.reason = reason_of(response, message["error"]);
  for (json::Elements output(response["output"]); output.next();)
    ended.output.push_back(read_item(output.value()));
  if (const View usage = response["usage"]; usage.is(Kind::object)) ended.usage = usage.raw();
  return ended;
}

Body item_truncated(Object& message) {
  return transcript::ItemTruncated{
      message["item_id"].string_or_empty(), content_index(message),
      std::max<std::int64_t>(0, message["audio_end_ms"].integer().value_or(0)), -1};
}

Body item_deleted(Object& message) {
  return transcript::ItemDeleted{message["item_id"].string_or_empty()};
}

Body provider_error(Object& message) {
  const View error = message["error"];
  return transcript::ProviderError{plain_code({error["type"]}), plain_code({error["code"]}),
                                   error["event_id"].string_or_empty()};
}

Body item_create(Object& message) {
  transcript::ItemRequested asked{message["event_id"].string_or_empty(),
                                  read_item(message["item"])};
  asked.previous = message["previous_item_id"].string_or_empty();
  if (asked.previous == "root") {
    asked.place = transcript::Position::front;
    asked.previous.clear();
  } else if (!asked.previous.empty()) {
    asked.place = transcript::Position::after;
  }
  return asked;
}

Body response_cancel(Object& message) {
  return transcript::CancelRequested{message["response_id"].string_or_empty()};
}

// ---- Names ----

struct Entry {
  std::string_view type;
  Body (*read)(Object& message);  ///< nullptr: has no meaning for a transcript
};

// Sorted, for a binary search. Provider events that are not listed have no meaning for a
// transcript.
constexpr Entry server_events[] = {
    {"conversation.item.added", item_added},
    {"conversation.item.created", item_added},  // beta
    {"conversation.item.deleted", item_deleted},
    {"conversation.item.done", item_snapshot<false>},
    {"conversation.item.input_audio_transcription.completed", transcription_completed},
    {"conversation.item.input_audio_transcription.delta", text_delta<true>},
    {"conversation.item.input_audio_transcription.failed", transcription_failed},
    {"conversation.item.retrieved", item_snapshot<true>},
    {"conversation.item.truncated", item_truncated},
    {"error", provider_error},
    {"input_audio_buffer.cleared", buffer_cleared},
    {"input_audio_buffer.committed", buffer_committed},
    {"input_audio_buffer.speech_started", speech_started},
    {"input_audio_buffer.speech_stopped", speech_stopped},
    {"response.audio.delta", audio_delta},                   // beta
    {"response.audio_transcript.delta", text_delta<false>},  // beta
    {"response.audio_transcript.done", transcript_done},     // beta
    {"response.content_part.done", part_done},
    {"response.created", response_created},
    {"response.done", response_done},
    {"response.function_call_arguments.delta", tool_arguments<false, false>},
    {"response.function_call_arguments.done", tool_arguments<false, true>},
    {"response.mcp_call.completed", tool_progress<transcript::ToolStatus::completed>},
    {"response.mcp_call.failed", tool_progress<transcript::ToolStatus::failed>},
    {"response.mcp_call.in_progress", tool_progress<transcript::ToolStatus::in_progress>},
    {"response.mcp_call_arguments.delta", tool_arguments<true, false>},
    {"response.mcp_call_arguments.done", tool_arguments<true, true>},
    {"response.output_audio.delta", audio_delta},
    {"response.output_audio_transcript.delta", text_delta<false>},
    {"response.output_audio_transcript.done", transcript_done},
    {"response.output_item.added", output_item<false>},
    {"response.output_item.done", output_item<true>},
    {"response.output_text.delta", text_delta<false>},
    {"response.output_text.done", text_done},
    {"response.text.delta", text_delta<false>},  // beta
    {"response.text.done", text_done},           // beta
    {"session.created", session_created},
    {"session.updated", session_updated},
    {"transcription_session.created", session_created},  // beta, in no type list
    {"transcription_session.updated", session_updated},  // beta
};

constexpr Entry client_events[] = {
    {"conversation.item.create", item_create},
    {"conversation.item.delete", nullptr},
    {"conversation.item.retrieve", nullptr},
    {"conversation.item.truncate", nullptr},
    {"input_audio_buffer.append", nullptr},
    {"input_audio_buffer.clear", nullptr},
    {"input_audio_buffer.commit", nullptr},
    {"output_audio_buffer.clear", nullptr},
    {"response.cancel", response_cancel},
    {"response.create", nullptr},
    {"session.update", nullptr},
    {"transcription_session.update", nullptr},  // beta
};

constexpr bool by_type(const Entry& left, const Entry& right) { return left.type < right.type; }
static_assert(std::is_sorted(std::begin(server_events), std::end(server_events), by_type));
static_assert(std::is_sorted(std::begin(client_events), std::end(client_events), by_type));

template <std::size_t N>
const Entry* find(const Entry (&events)[N], std::string_view type) {
  const auto* entry =
      std::lower_bound(std::begin(events), std::end(events), Entry{type, nullptr}, by_type);
  return entry != std::end(events) && entry->type == type ? entry : nullptr;
}

bool says_something(const transcript::Item& item) {
  if (transcript::is_call(item) || item.kind == transcript::ItemKind::function_call_output)
    return true;
  return std::any_of(item.parts.begin(), item.parts.end(),
                     [](const transcript::Part& part) { return !part.text.empty(); });
}

/// An event without an item id is still useful if it carries text, records that something was said,
/// or ends a wait. The transcript engine finds the item or creates one.
bool is_of_use_without_id(const transcript::EventBody& body) {
  return std::visit(
      [](const auto& event) {
        using Type = std::decay_t<decltype(event)>;
        if constexpr (std::is_same_v<Type, transcript::ItemPlaced>)
          return event.committed || says_something(event.item);
        else if constexpr (std::is_same_v<Type, transcript::ItemSnapshot> ||
                           std::is_same_v<Type, transcript::OutputItem>)
          return says_something(event.item);
        else if constexpr (std::is_same_v<Type, transcript::ItemTruncated> ||
                           std::is_same_v<Type, transcript::ItemDeleted>)
          return false;
        else
          return true;
      },
      body);
}

bool names_no_item(const transcript::EventBody& body) {
  return std::visit(
      [](const auto& event) {
        if constexpr (requires { event.item_id; })
          return event.item_id.empty();
        else if constexpr (requires { event.item; })
          return event.item.id.empty();
        else
          return false;
      },
      body);
}

template <std::size_t N>
std::optional<transcript::Event> read(const Entry (&events)[N], std::string_view type, View message,
                                      bool with_id) {
  const Entry* entry = find(events, type);
  if (entry == nullptr || entry->read == nullptr) return std::nullopt;
  Object members(message);
  auto body = entry->read(members);
  if (!body || (names_no_item(*body) && !is_of_use_without_id(*body))) return std::nullopt;
  return transcript::Event{with_id ? members["event_id"].string_or_empty() : std::string(),
                           std::move(*body)};
}

}  // namespace

Traffic server_traffic(std::string_view type) {
  const Entry* entry = find(server_events, type);
  if (entry == nullptr) return Traffic::other;
  return entry->read == audio_delta ? Traffic::audio : Traffic::transcript;
}

Traffic client_traffic(std::string_view type) {
  if (type == "input_audio_buffer.append") return Traffic::audio;
  const Entry* entry = find(client_events, type);
  return entry != nullptr && entry->read != nullptr ? Traffic::transcript : Traffic::other;
}

bool is_client_event(std::string_view type) { return find(client_events, type) != nullptr; }

std::optional<transcript::Event> read_server_event(std::string_view message) {
  std::string_view type = peek_type(message);
  const transcript::Event unreadable{{}, transcript::TextUnplaced{transcript::Unplaced::not_json}};
  const View view = View::of(message);
  if (!view.is(Kind::object)) {
    const bool empty = message.find_first_not_of(" \t\r\n") == std::string_view::npos;
    return empty ? std::nullopt : std::optional(unreadable);
  }
  if (!type.empty()) return read(server_events, type, view, true);
  // Rare: the type is written with escapes or absent, or the bytes are not JSON.
  if (json::check(message)) return unreadable;
  const std::string spelt = view["type"].string_or_empty();
  return read(server_events, spelt, view, true);
}

std::optional<transcript::Event> read_client_event(std::string_view message) {
  const View view = View::of(message);
  if (!view.exists()) return std::nullopt;
  return read(client_events, peek_type(message), view, false);
}

}  // namespace verbatim::protocol
