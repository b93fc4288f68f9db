// Sends the store's stream to the fleet's database, behind the journal: one thread, one connection,
// several batches in flight.
//
// The watermark is read from the database at every connect, never from memory: a replica that was
// promoted may lack what its primary had confirmed. An error, a lost connection and a warning
// at a commit are all treated alike: nothing that is in flight counts as confirmed, and a new
// connection sends it again.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/fleet/shipping/shipping_state.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::shipping {

/// Everything but the settings may be called on the shipper's thread, and must return at once.
struct ShipperParts {
  config::Fleet settings;
  std::string version;                        ///< of the program, for `verbatim fleet status`
  std::chrono::milliseconds slow_commit{};    ///< with `before`: an outage this long is a stall
  std::chrono::milliseconds give_up_after{};  ///< with `before`: one this long ends conversations
  /// Everything up to this is durable, and in the file that the stream is read from. 0: unknown.
  std::function<transcript::Sequence()> covered;
  /// Whether the journal has nothing left to write.
  std::function<bool()> idle;
  std::function<void()> on_moved;     ///< confirmed() or bypassed() has changed
  std::function<void()> on_given_up;  ///< conversations must end
  Log& log;
  std::function<void()> on_entered = nullptr;  ///< it has an incarnation, perhaps a new one
};

class Shipper {
 public:
  /// `shipping` is used on the shipper's thread only, from start() on.
  Shipper(ShipperParts parts, std::unique_ptr<store::Shipping> shipping);
  ~Shipper();
  Shipper(const Shipper&) = delete;
  Shipper& operator=(const Shipper&) = delete;

  void start();
  /// Ships the rest, for at most `patience`, and ends the thread. The store must still work.
  void finish(std::chrono::milliseconds patience);

  const ShippingState& state() const { return state_; }

 private:
  class Loop;

  ShippingState state_;
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace verbatim::shipping
