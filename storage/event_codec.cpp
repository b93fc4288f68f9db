#include "storage/event_codec.hpp"

#include <cstdint>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <boost/crc.hpp>

#include "session/utf8.hpp"

namespace verbatim::storage {
namespace {

using namespace session;

constexpr char format_version = 1;
constexpr std::size_t checksum_size = 4;

/// The fields of each struct in the order of their bytes: the one list that writing and reading
/// share. Part of the format: a new field means a new version.
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
    return std::tie(of.response_id, of.item, of.done);
  } else if constexpr (std::is_same_v<Struct, TextDelta> || std::is_same_v<Struct, TextDone>) {
    return std::tie(of.item_id, of.response_id, of.content_index, of.transcription, of.text);
  } else if constexpr (std::is_same_v<Struct, PartSnapshot>) {
    return std::tie(of.item_id, of.response_id, of.content_index, of.text);
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
    return std::tie(of.client_event_id, of.item);
  } else if constexpr (std::is_same_v<Struct, CancelRequested>) {
    return std::tie(of.response_id);
  } else if constexpr (std::is_same_v<Struct, UpstreamLost>) {
    return std::tie(of.why);
  } else if constexpr (std::is_same_v<Struct, AudioMetered>) {
    return std::tie(of.input_ms, of.output_ms);
  } else {
    static_assert(std::is_same_v<Struct, TranscriptionUsage>, "a new event needs its fields here");
    return std::tie(of.item_id, of.content_index, of.usage);
  }
}

// The last value of each enum: what is beyond it is no event of this version.
constexpr std::uint8_t last(Role) { return 3; }
constexpr std::uint8_t last(ItemKind) { return 3; }
constexpr std::uint8_t last(ItemStatus) { return 3; }
constexpr std::uint8_t last(Place) { return 2; }
constexpr std::uint8_t last(ResponseStatus) { return 4; }

std::uint32_t checksum(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

class Encoder {
 public:
  void put(bool value) { out.push_back(value ? 1 : 0); }
  void put(int value) { put(std::int64_t{value}); }
  /// Zigzag, so that small negative numbers stay short.
  void put(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    put_varint(bits << 1 ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }
  void put(const std::string& value) {
    put_varint(value.size());
    out += value;
  }
  void put(const Text& value) { put(value.wtf8()); }
  template <class T>
  void put(const std::vector<T>& values) {
    put_varint(values.size());
    for (const T& value : values) put(value);
  }
  template <class T>
  void put(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      out.push_back(static_cast<char>(value));
    } else {
      std::apply([this](const auto&... field) { (this->put(field), ...); }, fields(value));
    }
  }
  void put_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
  }

  std::string out;
};

/// Every get() is false once the bytes make no sense; the value is then unspecified.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }

  bool get(bool& value) {
    std::uint8_t byte;
    if (!get_byte(byte) || byte > 1) return false;
    value = byte == 1;
    return true;
  }
  bool get(int& value) {
    std::int64_t wide;
    if (!get(wide) || wide < std::numeric_limits<int>::min() ||
        wide > std::numeric_limits<int>::max())
      return false;
    value = static_cast<int>(wide);
    return true;
  }
  bool get(std::int64_t& value) {
    std::uint64_t bits;
    if (!get_varint(bits)) return false;
    value = static_cast<std::int64_t>(bits >> 1 ^ ((bits & 1) != 0 ? ~std::uint64_t{0} : 0));
    return true;
  }
  bool get(std::string& value) {
    std::uint64_t size;
    if (!get_varint(size) || size > rest_.size()) return false;
    value.assign(rest_, 0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool get(Text& value) {
    std::string bytes;
    if (!get(bytes) || !is_wtf8(bytes)) return false;
    value = Text::from_wtf8(std::move(bytes));
    return true;
  }
  template <class T>
  bool get(std::vector<T>& values) {
    std::uint64_t count;
    if (!get_varint(count) || count > rest_.size()) return false;  // each takes a byte at least
    while (count-- > 0) {
      if (!get(values.emplace_back())) return false;
    }
    return true;
  }
  template <class T>
  bool get(T& value) {
    if constexpr (std::is_enum_v<T>) {
      std::uint8_t byte;
      if (!get_byte(byte) || byte > last(T{})) return false;
      value = static_cast<T>(byte);
      return true;
    } else {
      return std::apply([this](auto&... field) { return (this->get(field) && ...); },
                        fields(value));
    }
  }
  bool get_byte(std::uint8_t& byte) {
    if (rest_.empty()) return false;
    byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return true;
  }

 private:
  bool get_varint(std::uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      std::uint8_t byte;
      if (!get_byte(byte) || (shift == 63 && byte > 1)) return false;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  static bool is_wtf8(std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t length = session::utf8::sequence_length(bytes);
      if (length == 0) {
        const bool half = bytes.size() >= 3 && bytes[0] == '\xED' && (bytes[1] & 0xE0) == 0xA0 &&
                          (bytes[2] & 0xC0) == 0x80;
        if (!half) return false;
        length = 3;
      }
      bytes.remove_prefix(length);
    }
    return true;
  }

  std::string_view rest_;
};

/// Reads the alternative that `kind` numbers.
template <std::size_t... I>
bool get_body(Decoder& from, std::size_t kind, EventBody& body, std::index_sequence<I...>) {
  return ((kind == I && from.get(body.emplace<I>())) || ...);
}

}  // namespace

std::string encode_event(const Event& event) {
  Encoder to;
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

  Decoder from(content);
  std::uint8_t version = 0;
  std::uint8_t kind = 0;
  Event event;
  constexpr auto kinds = std::make_index_sequence<std::variant_size_v<EventBody>>();
  if (!from.get_byte(version) || version != format_version || !from.get_byte(kind) ||
      !from.get(event.id) || !get_body(from, kind, event.body, kinds) || !from.at_end())
    return std::nullopt;
  return event;
}

}  // namespace verbatim::storage
