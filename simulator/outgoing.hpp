// What is on its way to the client, and the faults of the wire: here a connection is cut, closed,
// hung, and events are doubled. One thread. Bounded: a client that does not take what it is sent
// is cut off.
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

  /// One server event. Ignored once the connection is over.
  void event(std::string payload);
  void close(std::uint16_t code, std::string reason);

  /// Nothing can follow any more.
  bool over() const { return over_; }
  bool empty() const { return actions_.empty(); }

  /// Too much waits to be taken: no reason to make more.
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
