// Queues messages for the client and applies the faults of the connection: it drops, closes or
// stalls the connection and duplicates events. One thread. Bounded: a client that does not read is
// disconnected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "simulator/faults.hpp"
#include "simulator/random.hpp"
#include "simulator/simulated_connection.hpp"

namespace verbatim::simulator {

class Outgoing {
 public:
  Outgoing(Faults faults, std::uint64_t seed);

  /// Queues one server event. Does nothing once the connection is over.
  void event(std::string payload);
  void close(std::uint16_t code, std::string reason);

  /// True once nothing more can be sent.
  bool over() const { return over_; }
  bool empty() const { return actions_.empty(); }

  /// True if so much is queued that the provider should not produce more.
  bool full() const { return bytes_ > full_bytes; }

  std::vector<Action> take();

 private:
  static constexpr std::size_t full_bytes = 8U << 20U;
  static constexpr std::size_t most_bytes = 64U << 20U;

  void send(std::string payload);
  void end(Action action);
  void apply_counted_faults();

  Faults faults_;
  Random random_;
  std::vector<Action> actions_;
  std::size_t bytes_ = 0;
  std::uint64_t events_ = 0;
  bool over_ = false;
};

}  // namespace verbatim::simulator
