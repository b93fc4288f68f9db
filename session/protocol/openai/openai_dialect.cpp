#include "session/protocol/openai/openai_dialect.hpp"

#include "base/base64.hpp"
#include "base/json/dump.hpp"
#include "base/json/view.hpp"
#include "session/protocol/base64_length.hpp"
#include "session/protocol/openai/announced_answers.hpp"
#include "session/protocol/openai/dial.hpp"
#include "session/protocol/openai/error_meaning.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "session/protocol/openai/item_events.hpp"
#include "session/protocol/openai/item_requests.hpp"
#include "session/protocol/openai/known_places.hpp"
#include "session/protocol/openai/session_shapes.hpp"

namespace verbatim::protocol {

namespace {

using json::Kind;
using json::View;

struct Request {
  std::string_view type;
  ClientRequest request;
};

constexpr Request requests[] = {
    {"input_audio_buffer.append", ClientRequest::audio},
    {"input_audio_buffer.commit", ClientRequest::commit_audio},
    {"input_audio_buffer.clear", ClientRequest::clear_audio},
    {"conversation.item.create", ClientRequest::create_item},
    {"conversation.item.delete", ClientRequest::delete_item},
    {"conversation.item.retrieve", ClientRequest::retrieve_item},
    {"conversation.item.truncate", ClientRequest::truncate_item},
    {"response.create", ClientRequest::create_response},
    {"session.update", ClientRequest::update_session},
    {"transcription_session.update", ClientRequest::update_transcription_session},
};

ClientRequest request_of(std::string_view type) {
  for (const Request& one : requests)
    if (one.type == type) return one.request;
  return ClientRequest::other;
}

std::int64_t audio_bytes_in(ClientRequest request, std::string_view message) {
  if (request == ClientRequest::audio)
    return decoded_length(json::Object::begun(message)["audio"].between_quotes());
  std::int64_t bytes = 0;
  if (request == ClientRequest::create_item)
    for (json::Elements parts(View::of(message)["item"]["content"]); parts.next();)
      bytes += decoded_length(parts.value()["audio"].between_quotes());
  return bytes;
}

bool is_session_event(std::string_view type) {
  return type == "session.created" || type == "session.updated";
}

/// Whether the message may contain more than its event. Deltas, the most frequent messages, do not.
bool may_say_more(const transcript::EventBody& event) {
  return std::holds_alternative<transcript::TextDone>(event) ||
         std::holds_alternative<transcript::TextUnplaced>(event) ||
         std::holds_alternative<transcript::UpstreamOpened>(event) ||
         std::holds_alternative<transcript::SessionConfigured>(event);
}

std::optional<transcript::Event> transcription_usage_in(std::string_view message) {
  const View view = View::of(message);
  const View usage = view["usage"];
  transcript::TranscriptionUsage used;
  used.item_id = view["item_id"].string_or_empty();
  used.content_index = static_cast<int>(view["content_index"].integer().value_or(0));
  // The usage is stored unchanged inside a JSON list, so it must be valid JSON.
  if (used.item_id.empty() || !usage.is(Kind::object) || json::check(usage.raw()))
    return std::nullopt;
  used.usage = usage.raw();
  return transcript::Event{{}, std::move(used)};  // repeats are recognised by the item id
}

}  // namespace

// ---- Connections ----

DialRequest OpenAiDialect::dial(const DialWish& wish) const { return dial_request(wish); }

bool OpenAiDialect::is_session_limit(std::uint16_t close_code, std::string_view reason) const {
  return protocol::is_session_limit(close_code, reason);
}

// ---- Messages of the provider ----

ServerMessage OpenAiDialect::peek_server(std::string_view message) const {
  ServerMessage seen{peek_type(message), Traffic::other, std::nullopt};
  seen.traffic = server_traffic(seen.type);
  if (seen.traffic == Traffic::audio) seen.audio = read_server_event(message);
  return seen;
}

ServerReading OpenAiDialect::read_server(std::string_view message) const {
  ServerReading read{read_server_event(message), std::nullopt, std::nullopt};
  if (!read.event || !may_say_more(read.event->body)) return read;
  const std::string_view type = peek_type(message);
  if (type == "conversation.item.input_audio_transcription.completed") {
    read.transcription_usage = transcription_usage_in(message);
  } else if (is_session_event(type)) {
    read.formats = protocol::read_session(protocol::session_in(message)).formats;
  }
  return read;
}

Shows OpenAiDialect::shows(std::string_view type) const {
  if (is_session_event(type) || type == "transcription_session.created" ||
      type == "transcription_session.updated")
    return Shows::session;
  if (type == "response.created" || type == "response.done") return Shows::response;
  return type.starts_with("conversation.item.input_audio_transcription.")
             ? Shows::input_transcription
             : Shows::nothing;
}

ErrorMeaning OpenAiDialect::meaning(const transcript::ProviderError& error) const {
  return error_meaning(error);
}

ErrorAnswer OpenAiDialect::error_answer(std::string_view error_message) const {
  return protocol::error_answer(error_message);
}

std::unique_ptr<OpenAnswers> OpenAiDialect::open_answers(std::size_t bytes_max) const {
  return std::make_unique<AnnouncedAnswers>(bytes_max);
}

// ---- Messages of a client ----

ClientMessage OpenAiDialect::check_client(std::string_view message,
                                          const std::vector<std::string>& extra_types,
                                          std::size_t values_max) const {
  ClientMessage checked = examine_client_message(message, extra_types, values_max);
  if (checked.refusal) return checked;
  checked.request = request_of(checked.type);
  checked.traffic = client_traffic(checked.type);
  checked.audio_bytes = audio_bytes_in(checked.request, message);
  return checked;
}

ClientRequest OpenAiDialect::peek_client(std::string_view message) const {
  return request_of(peek_type(message));
}

std::optional<transcript::Event> OpenAiDialect::read_client(std::string_view message) const {
  return read_client_event(message);
}

ItemTarget OpenAiDialect::item_target(std::string_view message) const {
  return protocol::item_target(message);
}

std::string_view OpenAiDialect::item_in(std::string_view message) const {
  return protocol::item_in(message);
}

bool OpenAiDialect::is_same_item(const transcript::Item& wanted, const transcript::Item& ours,
                                 const std::optional<transcript::Turn>& turn) const {
  return protocol::is_same_item(wanted, ours, turn);
}

std::string OpenAiDialect::placed_behind(std::string_view message,
                                         const std::string& item_id) const {
  return protocol::placed_behind(message, item_id);
}

const KnownPlaces& OpenAiDialect::known_places() const { return openai::known_places; }

// ---- Audio in binary frames ----

std::string OpenAiDialect::append_audio(std::string_view audio) const {
  std::string event = R"({"type":"input_audio_buffer.append","audio":")";
  event.reserve(event.size() + audio.size() / 3 * 4 + 8);
  encode_base64(audio, event);
  return event += "\"}";
}

std::string_view OpenAiDialect::audio_member(std::string_view type) const {
  return server_traffic(type) == Traffic::audio ? "delta" : std::string_view();
}

std::string_view OpenAiDialect::audio_in(std::string_view message, std::string& room) const {
  json::Object members = json::Object::begun(message);
  json::View audio = members["audio"];
  if (!audio.exists()) audio = members["delta"];
  const std::string_view plain = audio.plain_string();
  if (!plain.empty()) return plain;
  room = audio.string_or_empty();
  return room;
}

// ---- Session objects ----

std::string_view OpenAiDialect::session_in(std::string_view message) const {
  return protocol::session_in(message);
}

SessionFacts OpenAiDialect::read_session(std::string_view session_json) const {
  return protocol::read_session(session_json);
}

std::string OpenAiDialect::with_session(std::string_view message,
                                        std::string_view session_json) const {
  return protocol::with_session(message, session_json);
}

std::optional<std::string> OpenAiDialect::without_transcription(std::string_view message) const {
  return protocol::without_transcription(message);
}

// ---- Requests of the relay ----

std::string OpenAiDialect::configure(std::string_view session_json,
                                     std::string_view transcription_model, SessionType type,
                                     std::string_view event_id) const {
  return configuration_update(session_json, transcription_model, type, event_id);
}

std::string OpenAiDialect::transcribe(std::string_view transcription_model, SessionType type,
                                      std::string_view event_id) const {
  return transcription_update(transcription_model, type, event_id);
}

std::string OpenAiDialect::restore_session(std::string_view session_json,
                                           std::string_view event_id) const {
  return restoring_update(session_json, event_id);
}

RebuiltItem OpenAiDialect::create_item(const transcript::Item& item,
                                       const std::optional<transcript::Turn>& turn,
                                       std::size_t item_bytes_max,
                                       std::string_view event_id) const {
  return protocol::create_item(item, turn, item_bytes_max, event_id);
}

std::string OpenAiDialect::commit_audio(std::string_view event_id) const {
  return dump({{"type", "input_audio_buffer.commit"}, {"event_id", event_id}});
}

std::string OpenAiDialect::create_response(std::string_view event_id) const {
  return dump({{"type", "response.create"}, {"event_id", event_id}});
}

// ---- Messages to the client in the provider's place ----

std::string OpenAiDialect::error(const ErrorEvent& error, std::string_view event_id) const {
  return dump({{"type", "error"},
               {"event_id", event_id},
               {"error",
                {{"type", error.type},
                 {"code", or_null(error.code)},
                 {"message", error.message},
                 {"param", or_null(error.param)},
                 {"event_id", or_null(error.client_event_id)}}}});
}

std::string OpenAiDialect::session_created(std::string_view session_json,
                                           std::string_view event_id) const {
  return session_created_event(session_json, event_id);
}

std::vector<std::string> OpenAiDialect::show_item(const transcript::Item& item,
                                                  const std::optional<transcript::Turn>& turn,
                                                  const ItemView& view,
                                                  const EventIds& next_event_id) const {
  return item_events(item, turn, view, next_event_id);
}

std::string OpenAiDialect::item_truncated(const ItemTarget& target,
                                          std::string_view event_id) const {
  return truncated_event(target, event_id);
}

std::string OpenAiDialect::item_deleted(const std::string& item_id,
                                        std::string_view event_id) const {
  return deleted_event(item_id, event_id);
}

std::string OpenAiDialect::item_retrieved(const transcript::Item& item,
                                          const std::optional<transcript::Turn>& turn, bool spoken,
                                          std::string_view event_id) const {
  return retrieved_event(item, turn, spoken, event_id);
}

const ProviderDialect& openai_dialect() {
  static const OpenAiDialect dialect;
  return dialect;
}

}  // namespace verbatim::protocol
