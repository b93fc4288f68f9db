// A provider's protocol, as the relay needs it: what the provider's and the client's messages mean,
// and the messages that the relay itself writes in that protocol. The session, the policy and the
// server use only this interface; only a protocol's own folder has the names of its events.
// docs/dialects.md: how to add one.
//
// Stateless: one object serves every session on every thread. Untrusted input: a member that takes
// a message never throws on it. Views returned point into the argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/protocol/known_places.hpp"
#include "session/protocol/message.hpp"
#include "session/protocol/open_answers.hpp"
#include "session/protocol/refusal.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::protocol {

/// Kind of provider session: `realtime` converses, `transcription` only transcribes speech.
enum class SessionType { realtime, transcription };

// ---- The meaning of messages ----

/// The result of a quick scan of a provider's message.
struct ServerMessage {
  std::string_view type;  ///< its name; empty if it has none that can be read at first sight
  Traffic traffic = Traffic::other;
  std::optional<transcript::Event>
      audio;  ///< the event of a message of audio; else see read_server()
};

/// The rate of the audio in each direction, as far as a session object gives it.
struct AudioFormats {
  std::optional<std::int64_t> input_bytes_per_second;
  std::optional<std::int64_t> output_bytes_per_second;
  bool named = false;  ///< the session names formats at all
  std::optional<transcript::AudioFormat> input = std::nullopt;
  std::optional<transcript::AudioFormat> output = std::nullopt;
};

/// The content of a provider's message, as far as a transcript needs it.
struct ServerReading {
  std::optional<transcript::Event>
      event;  ///< nullopt: no meaning for a transcript, or it cannot be read
  std::optional<transcript::Event>
      transcription_usage;              ///< usage that is reported beside a transcription
  std::optional<AudioFormats> formats;  ///< of a message that shows the session in force
};

/// The part of a provider's message that a policy may hide.
enum class Shows : std::uint8_t { nothing, session, response, input_transcription };

/// The meaning of a provider's error, beyond its code.
enum class ErrorMeaning : std::uint8_t { other, session_expired, response_running };

/// The request that an error answers.
struct ErrorAnswer {
  std::string event_id;         ///< of the request; empty if the error does not name it
  bool about_settings = false;  ///< without an event_id: it may refuse settings
};

enum class ClientRequest : std::uint8_t {
  audio,
  commit_audio,
  clear_audio,
  create_item,
  delete_item,
  retrieve_item,
  truncate_item,
  create_response,
  update_session,
  update_transcription_session,  ///< an older name, which the provider may refuse
  other,
};

/// A checked message of a client.
struct ClientMessage {
  std::optional<Refusal> refusal;  ///< the rest counts only without it
  std::string_view type = {};
  ClientRequest request = ClientRequest::other;
  Traffic traffic = Traffic::other;
  std::int64_t audio_bytes = 0;  ///< decoded length of its audio, for the buffer or in an item
};

/// The item that a client's message is about, and where to truncate it.
struct ItemTarget {
  std::string item_id;
  int content_index = 0;
  std::int64_t audio_end_ms = 0;
};

/// The facts that the relay reads from a session object.
struct SessionFacts {
  bool transcribes = false;                 ///< it only transcribes speech
  std::optional<bool> wants_transcription;  ///< of the user's speech; nullopt: it does not say
  std::string transcription_model;          ///< empty: it names none
  bool detects_turns = false;               ///< the provider finds the end of utterances itself
  bool answers_by_itself = false;           ///< and answers them without a request
  bool speaks = true;                       ///< answers are spoken, not written
  AudioFormats formats;
};

// ---- Messages that the relay writes ----

/// An upstream connection to dial.
struct DialWish {
  std::string target;           ///< path and query of the configured address
  std::string model_parameter;  ///< name of the query parameter for the model; empty: none
  std::string model;
  std::string organization;  ///< may be empty, like `project`
  std::string project;
  SessionType type = SessionType::realtime;
};
struct DialRequest {
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;  ///< beside the key's
};

/// A request that adds an item to another conversation.
struct RebuiltItem {
  std::string json;          ///< empty: the item cannot be created again
  const char* why_not = "";  ///< the reason for that, as clients get it
};

/// How the client sees an item.
struct ItemView {
  const std::string& previous_item_id;
  bool spoken;      ///< an answer is shown as speech
  bool with_words;  ///< with the transcription of what the user said
};

/// An error event in the provider's shape.
struct ErrorEvent {
  std::string type = "invalid_request_error";
  std::string code;
  std::string message;
  std::string param;
  std::string client_event_id;
};

class ProviderDialect {
 public:
  virtual ~ProviderDialect() = default;

  /// A new connection can be given a conversation: a lost connection is replaced, and one near the
  /// provider's limit too.
  virtual bool rebuilds() const = 0;

  // ---- Connections ----

  virtual DialRequest dial(const DialWish& wish) const = 0;
  /// A close of the provider that means its session limit.
  virtual bool is_session_limit(std::uint16_t close_code, std::string_view reason) const = 0;

  // ---- Messages of the provider ----

  /// For a message of audio, the relay calls only this function.
  virtual ServerMessage peek_server(std::string_view message) const = 0;
  virtual ServerReading read_server(std::string_view message) const = 0;
  virtual Shows shows(std::string_view type) const = 0;
  virtual ErrorMeaning meaning(const transcript::ProviderError& error) const = 0;
  virtual ErrorAnswer error_answer(std::string_view error_message) const = 0;
  /// `bytes_max`: limit on the JSON kept of all answers together.
  virtual std::unique_ptr<OpenAnswers> open_answers(std::size_t bytes_max) const = 0;

  // ---- Messages of a client ----

  /// Checks a message before it is sent on. It must be one strict JSON object with exactly one
  /// plainly written type, because parsers disagree about others.
  ///
  /// - `extra_types`: allowed types beside the protocol's client events.
  /// - `values_max`: a message with more values is refused without reading it to its end.
  virtual ClientMessage check_client(std::string_view message,
                                     const std::vector<std::string>& extra_types,
                                     std::size_t values_max) const = 0;
  /// The kind of request that a checked message makes.
  virtual ClientRequest peek_client(std::string_view message) const = 0;
  /// Its event: ItemRequested, CancelRequested, else nullopt.
  virtual std::optional<transcript::Event> read_client(std::string_view message) const = 0;
  virtual ItemTarget item_target(std::string_view message) const = 0;
  /// The JSON of the item that the message creates.
  virtual std::string_view item_in(std::string_view message) const = 0;
  /// True if an item that a client creates has the same content as an existing one.
  virtual bool is_same_item(const transcript::Item& wanted, const transcript::Item& ours,
                            const std::optional<transcript::Turn>& turn) const = 0;
  /// The message with its item placed behind another, in a client's request or in the provider's
  /// answer. An empty id: in front. Unchanged if the message names no place.
  virtual std::string placed_behind(std::string_view message, const std::string& item_id) const = 0;
  /// The members that a client's message may have at each place.
  virtual const KnownPlaces& known_places() const = 0;

  // ---- Audio in binary frames ----

  /// The client's message for this audio.
  virtual std::string append_audio(std::string_view audio) const = 0;
  /// The member that holds the audio of a provider's message of this type; empty: it has none.
  virtual std::string_view audio_member(std::string_view type) const = 0;

  /// The Base64 audio in a message of audio, the client's or the provider's; empty: it has none.
  /// `room`: holds it if the message has it with escapes.
  virtual std::string_view audio_in(std::string_view message, std::string& room) const = 0;

  // ---- Session objects ----

  /// The JSON of the session in a client's or the provider's message; empty if there is none.
  virtual std::string_view session_in(std::string_view message) const = 0;
  virtual SessionFacts read_session(std::string_view session_json) const = 0;
  virtual std::string with_session(std::string_view message,
                                   std::string_view session_json) const = 0;
  /// The message with its transcription shown as off; nullopt: it may pass unchanged.
  virtual std::optional<std::string> without_transcription(std::string_view message) const = 0;

  // ---- Requests of the relay ----

  /// Sets the session of a client token, and switches input transcription on unless the session
  /// does. Empty if there is nothing to send.
  ///
  /// - `session_json`: empty or a JSON object. For a transcription session only its input and
  ///   `include` are sent.
  /// - `transcription_model`: the model to add; empty: none is added.
  virtual std::string configure(std::string_view session_json, std::string_view transcription_model,
                                SessionType type, std::string_view event_id) const = 0;
  /// Switches input transcription on and changes nothing else.
  virtual std::string transcribe(std::string_view transcription_model, SessionType type,
                                 std::string_view event_id) const = 0;
  /// Gives another connection the settings of a session that the provider showed, without those
  /// that only the provider sets. Empty if there is no session.
  virtual std::string restore_session(std::string_view session_json,
                                      std::string_view event_id) const = 0;
  /// Creates an item again, with its present text. An answer that the user talked over keeps only
  /// its heard text. Precondition: the item is not deleted.
  virtual RebuiltItem create_item(const transcript::Item& item,
                                  const std::optional<transcript::Turn>& turn,
                                  std::size_t item_bytes_max, std::string_view event_id) const = 0;
  virtual std::string commit_audio(std::string_view event_id) const = 0;
  virtual std::string create_response(std::string_view event_id) const = 0;

  // ---- Messages to the client in the provider's place ----

  virtual std::string error(const ErrorEvent& error, std::string_view event_id) const = 0;
  /// `session_json`: may be empty.
  virtual std::string session_created(std::string_view session_json,
                                      std::string_view event_id) const = 0;
  /// The events that show an item of the conversation, as if it had just been created. Empty if it
  /// cannot be shown.
  virtual std::vector<std::string> show_item(const transcript::Item& item,
                                             const std::optional<transcript::Turn>& turn,
                                             const ItemView& view,
                                             const EventIds& next_event_id) const = 0;
  virtual std::string item_truncated(const ItemTarget& target, std::string_view event_id) const = 0;
  virtual std::string item_deleted(const std::string& item_id, std::string_view event_id) const = 0;
  /// Empty if the item cannot be shown.
  virtual std::string item_retrieved(const transcript::Item& item,
                                     const std::optional<transcript::Turn>& turn, bool spoken,
                                     std::string_view event_id) const = 0;
};

}  // namespace verbatim::protocol
