// The wiring diagram: builds every part in order, runs them, takes them down in order.
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
    std::filesystem::path ready_file;  ///< told once connections are accepted; may be empty
  };

  /// Opens the data folder, recovers the journal, binds. Throws std::runtime_error or StorageError
  /// with a text for the operator; config::ConfigError if the settings do not fit together.
  explicit App(Options options);
  ~App();

  /// Serves until SIGTERM or SIGINT, or until the journal has failed for good. Returns the exit
  /// code.
  int run();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// The simulated provider on its own.
struct SimulatorApp {
  Endpoint listen{"127.0.0.1", 0};
  std::filesystem::path recordings_dir;
  std::filesystem::path ready_file;
  config::Tls tls;
  double pace = 1.0;
  std::uint64_t seed = 1;
  std::string faults;
  std::string profile;                  ///< not empty: whose ways it has, at the door too
  std::filesystem::path received_file;  ///< not empty: client events are written there
  LogOptions log;
};
int run_simulator(const SimulatorApp& options);

}  // namespace verbatim::server
