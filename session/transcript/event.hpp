// Events of a conversation, independent of any dialect. The transcript engine reads them, and the
// journal stores them encoded. A ProviderDialect (session/protocol) makes them from messages of the
// provider and the client; transcript.hpp turns them into turns. Recovery applies the journal's
// events in the same way, so live and recovered transcripts agree.
//
// Plain values; any thread. A member that a message lacks is empty (strings), nullopt or zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/text.hpp"
#include "session/transcript/tool_call.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::transcript {

enum class ItemKind : std::uint8_t {
  message = 0,
  function_call = 1,
  function_call_output = 2,
  other = 3
};
enum class ItemStatus : std::uint8_t { none = 0, in_progress = 1, completed = 2, incomplete = 3 };

/// A content part that can hold text. Parts without text (images) are left out.
struct Part {
  int content_index = 0;
  Text text;
  bool spoken_input = false;  ///< `input_audio`: its text, if any, is a transcription
  friend bool operator==(const Part&, const Part&) = default;
};

/// The provider's conversation item, as far as a transcript or a rebuild needs it.
struct Item {
  std::string id;
  ItemKind kind = ItemKind::message;
  Role role = Role::unknown;
  ItemStatus status = ItemStatus::none;
  std::vector<Part> parts;
  /// The item's original JSON. For a message, only if it has more than its role and text parts
  /// (item_content.hpp); for other kinds, always. Or one of the two marks below.
  std::string detail;
  friend bool operator==(const Item&, const Item&) = default;
};

/// A function call or an MCP call.
bool is_call(const Item& item);

/// Values of Item::detail for a message whose JSON is not kept: it was above the size limit, or
/// there was no room for it.
inline constexpr std::string_view detail_too_large = "{}";
inline constexpr std::string_view detail_not_kept = "[]";

/// session.created: a new upstream connection; its ids may repeat earlier ones.
struct UpstreamOpened {
  std::string provider_session_id;
  std::int64_t expires_at_s = 0;  ///< Unix seconds; 0 if not given
  bool transcription_on = false;
  int output_bytes_per_ms = 48;  ///< 48 for pcm16 at 24 kHz, 8 for G.711
  friend bool operator==(const UpstreamOpened&, const UpstreamOpened&) = default;
};

/// session.updated (and transcription_session.updated).
struct SessionConfigured {
  bool transcription_on = false;
  int output_bytes_per_ms = 48;
  friend bool operator==(const SessionConfigured&, const SessionConfigured&) = default;
};

enum class Position : std::uint8_t {
  end = 0,    ///< `previous_item_id` absent
  front = 1,  ///< null from the provider; "root" from a client
  after = 2,  ///< named in `previous`
};

/// input_audio_buffer.committed, conversation.item.added, conversation.item.created: the only
/// events that place an item.
struct ItemPlaced {
  Item item;
  Position place = Position::end;
  std::string previous;
  bool committed = false;  ///< from input_audio_buffer.committed: a user's spoken item
  friend bool operator==(const ItemPlaced&, const ItemPlaced&) = default;
};

/// conversation.item.done / .retrieved: repeats the item, never places it.
struct ItemSnapshot {
  Item item;
  bool retrieved = false;
  friend bool operator==(const ItemSnapshot&, const ItemSnapshot&) = default;
};

/// `output_index` of an event without one.
inline constexpr int no_output_index = -1;

/// response.output_item.added / .done.
struct OutputItem {
  std::string response_id;
  Item item;
  bool done = false;
  int output_index = no_output_index;  ///< index of the item in its response
  friend bool operator==(const OutputItem&, const OutputItem&) = default;
};

/// A delta of text: ...output_audio_transcript.delta, ...output_text.delta (and the beta names),
/// ...input_audio_transcription.delta.
struct TextDelta {
  std::string item_id;
  std::string response_id;  ///< empty for a user's transcription
  int content_index = 0;
  bool transcription = false;  ///< a user's speech
  Text text;
  int output_index = no_output_index;
  friend bool operator==(const TextDelta&, const TextDelta&) = default;
};

/// The whole text of a part: the `.done` of the events above, and
/// input_audio_transcription.completed.
struct TextDone {
  std::string item_id;
  std::string response_id;
  int content_index = 0;
  bool transcription = false;
  Text text;
  int output_index = no_output_index;
  friend bool operator==(const TextDone&, const TextDone&) = default;
};

/// response.content_part.done: repeats a part.
struct PartSnapshot {
  std::string item_id;
  std::string response_id;
  int content_index = 0;
  Text text;
  int output_index = no_output_index;
  friend bool operator==(const PartSnapshot&, const PartSnapshot&) = default;
};

struct TranscriptionFailed {
  std::string item_id;
  int content_index = 0;
  std::string reason;  ///< error.code, else error.type, else "transcription_failed"
  friend bool operator==(const TranscriptionFailed&, const TranscriptionFailed&) = default;
};

/// response.output_audio.delta, counted in bytes of decoded audio. Never journaled; ItemTruncated
/// carries the sum where it is needed.
struct AudioDelta {
  std::string item_id;
  int content_index = 0;
  std::int64_t bytes = 0;
  std::string response_id = {};
  int output_index = no_output_index;
  friend bool operator==(const AudioDelta&, const AudioDelta&) = default;
};

struct SpeechStarted {
  std::string item_id;
  std::int64_t audio_start_ms = 0;
  friend bool operator==(const SpeechStarted&, const SpeechStarted&) = default;
};

struct SpeechStopped {
  std::string item_id;
  std::int64_t audio_end_ms = 0;
  friend bool operator==(const SpeechStopped&, const SpeechStopped&) = default;
};

struct BufferCleared {
  friend bool operator==(const BufferCleared&, const BufferCleared&) = default;
};

struct ResponseStarted {
  std::string response_id;
  bool out_of_band = false;  ///< `conversation_id` is null
  friend bool operator==(const ResponseStarted&, const ResponseStarted&) = default;
};

enum class ResponseStatus : std::uint8_t {
  completed = 0,
  cancelled = 1,
  incomplete = 2,
  failed = 3,
  other = 4  ///< the last one: arrays are sized by it
};
inline constexpr std::size_t response_status_count =
    static_cast<std::size_t>(ResponseStatus::other) + 1;

struct ResponseEnded {
  std::string response_id;
  bool out_of_band = false;
  ResponseStatus status = ResponseStatus::other;
  std::string reason;  ///< status_details.reason, else error.code, else error.type
  std::vector<Item> output;
  std::string usage;  ///< the usage object's JSON as it came, empty if null
  friend bool operator==(const ResponseEnded&, const ResponseEnded&) = default;
};

struct ItemTruncated {
  std::string item_id;
  int content_index = 0;
  std::int64_t audio_end_ms = 0;
  std::int64_t audio_sent_ms = -1;  ///< audio sent for the part until then; -1: the engine knows
  friend bool operator==(const ItemTruncated&, const ItemTruncated&) = default;
};

struct ItemDeleted {
  std::string item_id;
  friend bool operator==(const ItemDeleted&, const ItemDeleted&) = default;
};

/// error.
struct ProviderError {
  std::string type;
  std::string code;
  std::string client_event_id;  ///< error.event_id: the client event at fault, often empty
  friend bool operator==(const ProviderError&, const ProviderError&) = default;
};

/// A client's conversation.item.create: only a request until the provider places the item.
struct ItemRequested {
  std::string client_event_id;
  Item item;  ///< the id may be empty: the provider then chooses one
  /// the client's wish: in front ("root"), or behind `previous`
  Position place = Position::end;
  std::string previous = {};  ///< the item to place it behind
  friend bool operator==(const ItemRequested&, const ItemRequested&) = default;
};

/// A client's response.cancel.
struct CancelRequested {
  std::string response_id;  ///< empty: the one that is running
  friend bool operator==(const CancelRequested&, const CancelRequested&) = default;
};

/// The upstream connection was lost, and another will follow: everything open on it has ended.
struct UpstreamLost {
  std::string why;  ///< name of a close reason
  friend bool operator==(const UpstreamLost&, const UpstreamLost&) = default;
};

/// Total audio in both directions since the attempt began. Written by the relay at the end of each
/// response, since audio is not journaled.
struct AudioMetered {
  std::int64_t input_ms = 0;
  std::int64_t output_ms = 0;
  friend bool operator==(const AudioMetered&, const AudioMetered&) = default;
};

/// The usage in input_audio_transcription.completed, separate from its text.
struct TranscriptionUsage {
  std::string item_id;
  int content_index = 0;
  std::string usage;  ///< the usage object's original JSON
  friend bool operator==(const TranscriptionUsage&, const TranscriptionUsage&) = default;
};

/// A delta or the whole of a tool call's arguments: response.function_call_arguments.delta and
/// .done, response.mcp_call_arguments.delta and .done. If the item comes whole, it repeats them.
struct ToolArguments {
  std::string item_id;
  std::string response_id;
  std::string call_id;  ///< empty for MCP
  std::string name;     ///< given by some `.done` events
  Text text;
  bool mcp = false;
  bool whole = false;
  int output_index = no_output_index;
  friend bool operator==(const ToolArguments&, const ToolArguments&) = default;
};

/// response.mcp_call.in_progress, .completed and .failed.
struct ToolProgress {
  std::string item_id;
  ToolStatus status = ToolStatus::in_progress;
  int output_index = no_output_index;
  friend bool operator==(const ToolProgress&, const ToolProgress&) = default;
};

/// Total audio that the provider has sent for an item. Written by the relay at the end of the
/// item's response, since audio is not journaled. A total, so a repetition changes nothing.
struct AnswerAudio {
  std::string item_id;
  std::int64_t ms = 0;
  friend bool operator==(const AnswerAudio&, const AnswerAudio&) = default;
};

/// Why text, or possible text, has no turn.
enum class Unplaced : std::uint8_t {
  not_json = 0,  ///< the message could not be parsed
  not_text = 1,  ///< an event that carries text had something else instead
  too_large = 2  ///< above upstream.message_bytes_max, so it was skipped
};

inline constexpr std::size_t unplaced_kinds = 3;
std::string_view to_string(Unplaced why);
std::string_view to_string(ResponseStatus status);

/// The provider sent possible text that no turn can hold.
struct TextUnplaced {
  Unplaced why = Unplaced::not_json;
  friend bool operator==(const TextUnplaced&, const TextUnplaced&) = default;
};

/// How long the client waited for the first audio of an answer (session/first_audio.hpp). Written
/// by the relay at the end of the response.
struct FirstAudio {
  std::string response_id;
  std::int64_t ms = 0;
  friend bool operator==(const FirstAudio&, const FirstAudio&) = default;
};

/// The provider's session settings have changed. Written by the relay, so that another process can
/// continue the conversation after this one was killed. Changes no transcript.
struct SettingsChanged {
  std::string json;  ///< protocol::SessionSettings::to_json()
  friend bool operator==(const SettingsChanged&, const SettingsChanged&) = default;
};

/// A file of recorded audio: one for each speaker.
enum class AudioTrack : std::uint8_t { user = 0, assistant = 1 };
enum class AudioEncoding : std::uint8_t {
  pcm16 = 0,  ///< little endian, one channel
  pcmu = 1,
  pcma = 2,
  none = 3  ///< of AudioPlaced: from here on the track was not recorded
};

struct AudioFormat {
  AudioEncoding encoding = AudioEncoding::pcm16;
  int rate = 24000;  ///< samples per second
  friend bool operator==(const AudioFormat&, const AudioFormat&) = default;
};
constexpr std::int64_t sample_bytes(AudioEncoding encoding) {
  return encoding == AudioEncoding::pcm16 ? 2 : 1;
}
constexpr std::int64_t bytes_per_second(const AudioFormat& format) {
  return format.rate * sample_bytes(format.encoding);
}

/// A run of recorded audio. Written by the relay while it records. Changes no transcript. A later
/// one with the same track, item and `from` replaces it. Three forms:
/// - a run with a time begins there and goes on to the next run of its track, or to the file's end;
/// - a run of the user's track with an item has no time: it names the part of the track that is
///   that item's speech;
/// - a run with encoding `none`: recording has failed here.
struct AudioPlaced {
  AudioTrack track = AudioTrack::user;
  std::string item_id = {};  ///< empty: the user's track as it came
  std::int64_t from = 0;     ///< byte of the track's file
  std::int64_t bytes = -1;   ///< that were heard; -1: all of the run
  std::int64_t at_ms = -1;   ///< since the attempt began; -1: the runs around it say
  AudioFormat format = {};
  friend bool operator==(const AudioPlaced&, const AudioPlaced&) = default;
};

/// The order of the alternatives is part of the journal's format: append, never reorder.
using EventBody =
    std::variant<UpstreamOpened, SessionConfigured, ItemPlaced, ItemSnapshot, OutputItem, TextDelta,
                 TextDone, PartSnapshot, TranscriptionFailed, AudioDelta, SpeechStarted,
                 SpeechStopped, BufferCleared, ResponseStarted, ResponseEnded, ItemTruncated,
                 ItemDeleted, ProviderError, ItemRequested, CancelRequested, UpstreamLost,
                 AudioMetered, TranscriptionUsage, ToolArguments, ToolProgress, AnswerAudio,
                 TextUnplaced, FirstAudio, SettingsChanged, AudioPlaced>;

struct Event {
  std::string id;  ///< the provider's event_id; empty if it has none or the event is a client's
  EventBody body;
  friend bool operator==(const Event&, const Event&) = default;
};

/// Calls `visit` for each item that an event describes.
template <class Visit>
void for_each_item(Event& event, Visit visit) {
  std::visit(
      [&visit](auto& body) {
        if constexpr (requires { body.item; }) visit(body.item);
        if constexpr (requires { body.output; })
          for (Item& item : body.output) visit(item);
      },
      event.body);
}

}  // namespace verbatim::transcript
