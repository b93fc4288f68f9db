#include "simulator/ids.hpp"

#include <algorithm>

namespace verbatim::simulator {

namespace {

constexpr std::string_view digits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::int64_t epoch_s = 1'576'800'000;  // the provider's ids count from here

}  // namespace

std::string Ids::make(std::string_view prefix) {
  std::string id(prefix);
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

std::string Ids::obfuscation(std::size_t delta_size) {
  std::string padding;
  append_random(padding, 16 - delta_size % 16);
  return padding;
}

void Ids::append_random(std::string& to, std::size_t count) {
  for (std::uint64_t bits = 0; count > 0; --count) {
    // Ten digits of base 62 fit 64 bits; the tiny bias does not matter here.
    if (bits < digits.size()) bits = random_.next();
    to += digits[bits % digits.size()];
    bits /= digits.size();
  }
}

}  // namespace verbatim::simulator
