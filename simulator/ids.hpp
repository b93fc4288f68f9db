// Identifiers in the provider's shape: a prefix, five characters that tell the second, sixteen
// random ones, all in base 62; or UUIDs, as some providers have them; or odd ones, which are legal
// all the same. One thread; unique within a connection for all practical purposes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "simulator/random.hpp"

namespace verbatim::simulator {

class Ids {
 public:
  explicit Ids(std::uint64_t seed) : random_(seed) {}

  /// The second that the next ids carry. Unix time.
  void set_time(std::int64_t unix_s) { unix_s_ = unix_s; }

  void use_uuids() { uuids_ = true; }
  /// With this probability an id has quotes, blanks, an emoji, or 90 characters.
  void be_odd(double probability) { odd_ = probability; }

  std::string make(std::string_view prefix);

  /// Random padding, as deltas carry it so that their size does not tell their text.
  std::string obfuscation(std::size_t delta_size);

 private:
  void append_random(std::string& to, std::size_t count);
  std::string uuid();

  Random random_;
  std::int64_t unix_s_ = 0;
  bool uuids_ = false;
  double odd_ = 0;
};

}  // namespace verbatim::simulator
