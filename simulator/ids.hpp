// Makes ids in the provider's form: a prefix, five characters for the second and sixteen random
// ones, all in base 62. Also makes UUIDs, as some providers use them, and odd but legal ids. One
// thread. Ids are unique within a connection for all practical purposes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "simulator/random.hpp"

namespace verbatim::simulator {

class Ids {
 public:
  explicit Ids(std::uint64_t seed) : random_(seed) {}

  /// Sets the second in the next ids, in Unix time.
  void set_time(std::int64_t unix_s) { unix_s_ = unix_s; }

  void use_uuids() { uuids_ = true; }
  /// Sets the probability that an id has quotes, spaces, an emoji or 90 characters.
  void be_odd(double probability) { odd_ = probability; }

  std::string make(std::string_view prefix);

  /// Random padding for deltas, which hides the length of their text.
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
