#include "storage/rows/event_codec.hpp"

#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/checksum.hpp"
#include "base/codec.hpp"

namespace verbatim::rows {
namespace {

using namespace transcript;

/// Version 2 added `output_index` to text events, and to ItemRequested the place that the client
/// asked for. Version 3 added `output_index` to tools' events.
constexpr char format_version = 3;
constexpr std::uint8_t oldest_version = 1;
constexpr std::size_t checksum_size = 4;

/// The fields of each struct in the order of their bytes; the encoder and the decoder share this
/// list. It is part of the format: a new field needs a new version, and a list of the fields of the
/// version before.
template <class T>
auto fields(T& of) {
  using Struct = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Struct, Part>) {
    return std::tie(of.content_index, of.text, of.spoken_input);
  } else if constexpr (std::is_same_v<Struct, Item>) {
    return std::tie(of.id, of.kind, of.role, of.status, of.parts, of.detail);
  } else if constexpr (std::is_same_v<Struct, UpstreamOpened>) {
    return std::tie(of.provider_session_id, of.expires_at_s, of.transcription_on,
                    of.output_bytes_per_ms);
  } else if constexpr (std::is_same_v<Struct, SessionConfigured>) {
    return std::tie(of.transcription_on, of.output_bytes_per_ms);
  } else if constexpr (std::is_same_v<Struct, ItemPlaced>) {
    return std::tie(of.item, of.place, of.previous, of.committed);
  } else if constexpr (std::is_same_v<Struct, ItemSnapshot>) {
    return std::tie(of.item, of.retrieved);
  } else if constexpr (std::is_same_v<Struct, OutputItem>) {
    return std::tie(of.response_id, of.item, of.done, of.output_index);
  } else if constexpr (std::is_same_v<Struct, TextDelta> || std::is_same_v<Struct, TextDone>) {
    return std::tie(of.item_id, of.response_id, of.content_index, of.transcription, of.text,
                    of.output_index);
  } else if constexpr (std::is_same_v<Struct, PartSnapshot>) {
    return std::tie(of.item_id, of.response_id, of.content_index, of.text, of.output_index);
  } else if constexpr (std::is_same_v<Struct, TranscriptionFailed>) {
    return std::tie(of.item_id, of.content_index, of.reason);
  } else if constexpr (std::is_same_v<Struct, AudioDelta>) {
    return std::tie(of.item_id, of.content_index, of.bytes);
  } else if constexpr (std::is_same_v<Struct, SpeechStarted>) {
    return std::tie(of.item_id, of.audio_start_ms);
  } else if constexpr (std::is_same_v<Struct, SpeechStopped>) {
    return std::tie(of.item_id, of.audio_end_ms);
  } else if constexpr (std::is_same_v<Struct, BufferCleared>) {
    return std::tie();
  } else if constexpr (std::is_same_v<Struct, ResponseStarted>) {
    return std::tie(of.response_id, of.out_of_band);
  } else if constexpr (std::is_same_v<Struct, ResponseEnded>) {
    return std::tie(of.response_id, of.out_of_band, of.status, of.reason, of.output, of.usage);
  } else if constexpr (std::is_same_v<Struct, ItemTruncated>) {
    return std::tie(of.item_id, of.content_index, of.audio_end_ms, of.audio_sent_ms);
  } else if constexpr (std::is_same_v<Struct, ItemDeleted>) {
    return std::tie(of.item_id);
  } else if constexpr (std::is_same_v<Struct, ProviderError>) {
    return std::tie(of.type, of.code, of.client_event_id);
  } else if constexpr (std::is_same_v<Struct, ItemRequested>) {
    return std::tie(of.client_event_id, of.item, of.place, of.previous);
  } else if constexpr (std::is_same_v<Struct, CancelRequested>) {
    return std::tie(of.response_id);
  } else if constexpr (std::is_same_v<Struct, UpstreamLost>) {
    return std::tie(of.why);
  } else if constexpr (std::is_same_v<Struct, SettingsChanged>) {
    return std::tie(of.json);
  } else if constexpr (std::is_same_v<Struct, AudioFormat>) {
    return std::tie(of.encoding, of.rate);
  } else if constexpr (std::is_same_v<Struct, AudioPlaced>) {
    return std::tie(of.track, of.item_id, of.from, of.bytes, of.at_ms, of.format);
  } else if constexpr (std::is_same_v<Struct, AudioMetered>) {
    return std::tie(of.input_ms, of.output_ms);
  } else if constexpr (std::is_same_v<Struct, TranscriptionUsage>) {
    return std::tie(of.item_id, of.content_index, of.usage);
  } else if constexpr (std::is_same_v<Struct, ToolArguments>) {
    return std::tie(of.item_id, of.response_id, of.call_id, of.name, of.text, of.mcp, of.whole,
                    of.output_index);
  } else if constexpr (std::is_same_v<Struct, ToolProgress>) {
    return std::tie(of.item_id, of.status, of.output_index);
  } else if constexpr (std::is_same_v<Struct, AnswerAudio>) {
    return std::tie(of.item_id, of.ms);
  } else if constexpr (std::is_same_v<Struct, TextUnplaced>) {
    return std::tie(of.why);
  } else {
    static_assert(std::is_same_v<Struct, FirstAudio>, "a new event needs its fields here");
    return std::tie(of.response_id, of.ms);
  }
}

/// The fields of version 2, for journals of older programs.
template <class T>
auto fields_of_version_2(T& of) {
  using Struct = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Struct, ToolArguments>) {
    return std::tie(of.item_id, of.response_id, of.call_id, of.name, of.text, of.mcp, of.whole);
  } else if constexpr (std::is_same_v<Struct, ToolProgress>) {
    return std::tie(of.item_id, of.status);
  } else {
    return fields(of);
  }
}

/// The fields of version 1.
template <class T>
auto fields_of_version_1(T& of) {
  using Struct = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Struct, OutputItem>) {
    return std::tie(of.response_id, of.item, of.done);
  } else if constexpr (std::is_same_v<Struct, TextDelta> || std::is_same_v<Struct, TextDone>) {
    return std::tie(of.item_id, of.response_id, of.content_index, of.transcription, of.text);
  } else if constexpr (std::is_same_v<Struct, PartSnapshot>) {
    return std::tie(of.item_id, of.response_id, of.content_index, of.text);
  } else if constexpr (std::is_same_v<Struct, ItemRequested>) {
    return std::tie(of.client_event_id, of.item);
  } else {
    return fields_of_version_2(of);
  }
}

// The last value of each enum: a row with a larger value is unreadable.
constexpr std::uint8_t last(Role) { return 3; }
constexpr std::uint8_t last(ItemKind) { return 3; }
constexpr std::uint8_t last(ItemStatus) { return 3; }
constexpr std::uint8_t last(Position) { return 2; }
constexpr std::uint8_t last(ResponseStatus) { return 4; }
constexpr std::uint8_t last(ToolStatus) { return 3; }
constexpr std::uint8_t last(Unplaced) { return 2; }
constexpr std::uint8_t last(AudioTrack) { return 1; }
constexpr std::uint8_t last(AudioEncoding) { return 3; }

template <int version>
struct EventFields {
  template <class T>
  static auto of(T& value) {
    if constexpr (version == 1) {
      return fields_of_version_1(value);
    } else if constexpr (version == 2) {
      return fields_of_version_2(value);
    } else {
      return fields(value);
    }
  }
  template <class T>
  static constexpr std::uint8_t last_of(T value) {
    return last(value);
  }
};

/// Reads the alternative that `kind` numbers.
template <class From, std::size_t... I>
bool get_body(From& from, std::size_t kind, EventBody& body, std::index_sequence<I...>) {
  return ((kind == I && from.get(body.emplace<I>())) || ...);
}

/// Decodes an event of this version. `content` lacks the version byte and the checksum.
template <int version>
std::optional<Event> decode(std::string_view content) {
  Decoder<EventFields<version>> from(content);
  std::uint8_t kind = 0;
  Event event;
  constexpr auto kinds = std::make_index_sequence<std::variant_size_v<EventBody>>();
  if (!from.get_byte(kind) || !from.get(event.id) || !get_body(from, kind, event.body, kinds) ||
      !from.at_end())
    return std::nullopt;
  return event;
}

}  // namespace

std::string encode_event(const Event& event) {
  Encoder<EventFields<format_version>> to;
  to.out.reserve(96);
  to.out.push_back(format_version);
  to.out.push_back(static_cast<char>(event.body.index()));
  to.put(event.id);
  std::visit([&to](const auto& body) { to.put(body); }, event.body);
  const std::uint32_t sum = checksum(to.out);
  for (std::size_t i = 0; i < checksum_size; ++i)
    to.out.push_back(static_cast<char>(sum >> (8 * i)));
  return std::move(to.out);
}

std::optional<Event> decode_event(std::string_view bytes) {
  if (bytes.size() < checksum_size) return std::nullopt;
  const std::string_view content = bytes.substr(0, bytes.size() - checksum_size);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < checksum_size; ++i)
    sum |= std::uint32_t{static_cast<std::uint8_t>(bytes[content.size() + i])} << (8 * i);
  if (sum != checksum(content)) return std::nullopt;

  if (content.empty()) return std::nullopt;
  const auto version = static_cast<std::uint8_t>(content.front());
  if (version == oldest_version) return decode<oldest_version>(content.substr(1));
  if (version == 2) return decode<2>(content.substr(1));
  if (version == format_version) return decode<format_version>(content.substr(1));
  return std::nullopt;
}

}  // namespace verbatim::rows
