// The composition root: builds all parts in order, runs them, and shuts them down in order.
//
// On the main thread, which is the control thread.
#pragma once

#include <filesystem>
#include <memory>

#include "config/settings.hpp"
#include "server/app/service_manager.hpp"
#include "server/relay/peers.hpp"

namespace verbatim::app {

class App {
 public:
  struct Options {
    config::Settings settings;
    config::Sources sources;           ///< read again at SIGHUP
    std::filesystem::path ready_file;  ///< written once connections are accepted; may be empty
    ServiceManager::Address service_manager;
    ServiceManager::Sockets sockets;
    std::shared_ptr<relay::SessionDirectory> directory;  ///< of a fleet; null: it is alone
  };

  /// From now on a SIGHUP waits until there is something to reload. Call it first, on the thread
  /// that makes and runs the App.
  static void hold_reloads();

  /// Opens the data directory, recovers the journal, and binds the listeners. Throws
  /// std::runtime_error or StorageError with a text for the operator; config::ConfigError if the
  /// settings contradict each other.
  explicit App(Options options);
  ~App();

  /// Serves until SIGTERM or SIGINT, or until the journal has failed for good. Returns the exit
  /// code.
  int run();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace verbatim::app
