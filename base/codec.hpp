// Encodes plain values to bytes and decodes them: varints, strings with their length in front,
// structs member by member. The caller's `Fields` lists the members and their order; that list is
// the format.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace verbatim {

/// `Fields::of(value)` ties the members of a struct in the order of their bytes.
template <class Fields>
class Encoder {
 public:
  void put(bool value) { out.push_back(value ? 1 : 0); }
  void put(int value) { put(std::int64_t{value}); }
  /// Zigzag encoding keeps small negative numbers short.
  void put(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    put_varint(bits << 1 ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }
  void put(std::uint64_t value) { put_varint(value); }
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
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class T>
  void put(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      out.push_back(static_cast<char>(value));
    } else {
      std::apply([this](const auto&... field) { (this->put(field), ...); }, Fields::of(value));
    }
  }
  void put_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
  }

  std::string out;
};

/// Decodes untrusted bytes. Each get() returns false if the bytes are invalid; the value is then
/// unspecified. `Fields::last_of(value)` is the highest valid value of an enum.
template <class Fields>
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
  bool get(std::uint64_t& value) { return get_varint(value); }
  bool get(std::string& value) {
    std::uint64_t size;
    if (!get_varint(size) || size > rest_.size()) return false;
    value.assign(rest_, 0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool get(Text& value) {
    std::string bytes;
    if (!get(bytes) || !utf8::is_wtf8(bytes)) return false;
    value = Text::from_wtf8(std::move(bytes));
    return true;
  }
  template <class T>
  bool get(std::vector<T>& values) {
    std::uint64_t count;
    // each value takes at least one byte
    if (!get_varint(count) || count > rest_.size()) return false;
    while (count-- > 0) {
      if (!get(values.emplace_back())) return false;
    }
    return true;
  }
  template <class T>
  bool get(std::optional<T>& value) {
    bool there;
    if (!get(there)) return false;
    value.reset();
    if (!there) return true;
    T made{};
    if (!get(made)) return false;
    value = std::move(made);
    return true;
  }
  template <class T>
  bool get(T& value) {
    if constexpr (std::is_enum_v<T>) {
      std::uint8_t byte;
      if (!get_byte(byte) || byte > Fields::last_of(T{})) return false;
      value = static_cast<T>(byte);
      return true;
    } else {
      return std::apply([this](auto&... field) { return (this->get(field) && ...); },
                        Fields::of(value));
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

  std::string_view rest_;
};

}  // namespace verbatim
