// The composition root: builds all parts in order, runs them, and shuts them down in order.
//
// On the main thread, which is the control thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "config/settings.hpp"

namespace verbatim::server {

class App {
 public:
  struct Options {
    config::Settings settings;
    config::Sources sources;           ///< read again at SIGHUP
    std::filesystem::path ready_file;  ///< written once connections are accepted; may be empty
  };

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

/// Options of `verbatim simulate`, the simulated provider.
struct SimulatorApp {
  Endpoint listen{"127.0.0.1", 0};
  std::filesystem::path recordings_dir;
  std::filesystem::path ready_file;
  config::Tls tls;
  double pace = 1.0;
  std::uint64_t seed = 1;
  std::string faults;
  std::string
      profile;  ///< not empty: imitate this provider's profile, its admission checks included
  std::filesystem::path received_file;  ///< not empty: write client events to this file
  LogOptions log;
};
int run_simulator(const SimulatorApp& options);

}  // namespace verbatim::server
