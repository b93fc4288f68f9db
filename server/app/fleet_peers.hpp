// The other nodes of a fleet, from the beginning of the program to its end.
//
// On the control thread, unless stated otherwise. Must outlive the workers.
#pragma once

#include <memory>
#include <utility>

#include "config/settings.hpp"
#include "server/fleet/peers/peer_link.hpp"

namespace verbatim::app {

class FleetPeers {
 public:
  /// `directory`: where sessions live; null: this relay is alone. Throws config::ConfigError if
  /// fleet.ca_file cannot be loaded.
  void begin(const config::LiveSettings& settings,
             const Reloadable<const access::Authenticator>& authenticator,
             std::shared_ptr<relay::SessionDirectory> directory, Log& log) {
    if (!directory) return;
    directory_ = std::move(directory);
    link_ = std::make_unique<peers::PeerLink>(
        peers::PeerParts{settings, authenticator, *directory_, log},
        peers::PeerOptions{settings.get()->fleet.ca_file, settings.get()->fleet.peer_timeout,
                           settings.get()->fleet.lease_ttl});
  }

  /// Any thread. Null: this relay is alone.
  relay::Peers* get() const { return link_.get(); }

  /// All workers have ended: nothing asks where sessions live any more. The directory must not
  /// answer an executor that is gone.
  void finish() { directory_.reset(); }

  /// Asks the clients of other nodes to come back, to another node.
  void stop() {
    if (link_) link_->stop();
  }

 private:
  std::shared_ptr<relay::SessionDirectory> directory_;
  std::unique_ptr<peers::PeerLink> link_;
};

}  // namespace verbatim::app
