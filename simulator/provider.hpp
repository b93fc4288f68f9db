// What stands behind a simulated connection: a live conversation or a recording.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "simulator/schedule.hpp"

namespace verbatim::simulator {

class Provider {
 public:
  virtual ~Provider() = default;
  virtual void on_message(std::string_view message, std::int64_t now_ms) = 0;
  /// Of the next step; nullopt: nothing until the client says something.
  virtual std::optional<Due> due() const = 0;
  /// Does what is due first. Precondition: there is something, and its time has come.
  virtual void step() = 0;
};

}  // namespace verbatim::simulator
