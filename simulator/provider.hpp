// The source of a simulated connection's events: a live conversation or a recording.
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
  /// When the next step is due; nullopt: nothing until the client sends a message.
  virtual std::optional<Due> due() const = 0;
  /// Executes the next step. Precondition: there is one, and it is due.
  virtual void step() = 0;
};

}  // namespace verbatim::simulator
