#include "simulator/ids.hpp"

#include <algorithm>
#include <array>

namespace verbatim::simulator {

namespace {

constexpr std::string_view digits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::int64_t epoch_s = 1'576'800'000;  // epoch of the provider's ids

// An id can be any JSON string. These forms were seen in the field, or have the greatest length.
constexpr std::array<std::string_view, 7> odd_middles = {
    "\"quoted\" ",
    " blanks  in it ",
    "\xf0\x9f\x99\x82\xf0\x9f\x8f\xbd",
    "../%2e?&#",
    "back\\slash\\u0041",
    "\t\n",
    "sixty-nine_characters_that_make_this_id_as_long_as_they_get_0123456789"};

}  // namespace

std::string Ids::make(std::string_view prefix) {
  if (uuids_) return uuid();
  std::string id(prefix);
  if (odd_ > 0 && random_.chance(odd_)) {
    id += odd_middles[random_.below(odd_middles.size())];
    append_random(id, 16);
    return id;
  }
  id.reserve(prefix.size() + 21);
  auto rest = static_cast<std::uint64_t>(std::max<std::int64_t>(unix_s_ - epoch_s, 0));
  char stamp[5];
  for (int i = 4; i >= 0; --i) {
    stamp[i] = digits[rest % digits.size()];
    rest /= digits.size();
  }
  id.append(stamp, sizeof stamp);
  append_random(id, 16);
  return id;
}

std::string Ids::uuid() {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string id;
  for (int i = 0; i < 36; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    id += dash ? '-' : i == 14 ? '4' : hex[random_.below(hex.size())];
  }
  return id;
}

std::string Ids::obfuscation(std::size_t delta_size) {
  std::string padding;
  append_random(padding, 16 - delta_size % 16);
  return padding;
}

void Ids::append_random(std::string& to, std::size_t count) {
  for (std::uint64_t bits = 0; count > 0; --count) {
    // Ten digits of base 62 fit into 64 bits. The tiny bias does not matter here.
    if (bits < digits.size()) bits = random_.next();
    to += digits[bits % digits.size()];
    bits /= digits.size();
  }
}

}  // namespace verbatim::simulator
