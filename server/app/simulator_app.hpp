// The simulated provider as a program of its own, and built into a server.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/app/simulator_service.hpp"
#include "server/net/listener.hpp"
#include "server/relay/metrics.hpp"
#include "server/relay/worker.hpp"

namespace verbatim::app {

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

/// The built-in provider: its own listener on a loopback port, on its own thread.
class BuiltInProvider {
 public:
  BuiltInProvider(simulator::Options options, net::Executor control, const config::Server& limits,
                  Log& log);
  ~BuiltInProvider();
  std::string url() const;

 private:
  relay::Metrics metrics_;
  relay::Worker worker_;
  SimulatorService service_;
  net::Listener listener_;
};

}  // namespace verbatim::app
