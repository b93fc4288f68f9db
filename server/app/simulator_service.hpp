// Serves the simulated provider over WebSocket: for `verbatim simulate`, and as the built-in
// provider when no key is configured.
//
// One object for each worker, on the worker's thread.
#pragma once

#include <filesystem>
#include <fstream>
#include <string_view>

#include "base/log.hpp"
#include "server/net/http_connection.hpp"
#include "server/relay/worker.hpp"
#include "simulator/profile.hpp"
#include "simulator/simulated_connection.hpp"

namespace verbatim::app {

/// Writes each client event except audio to a file, one on a line, before the event is handled.
class ReceivedEvents {
 public:
  /// Writes nothing if `file` is empty. Throws std::runtime_error if it cannot be opened.
  explicit ReceivedEvents(const std::filesystem::path& file);
  void add(std::string_view event);

 private:
  std::ofstream file_;
};

class SimulatorService final : public net::HttpService {
 public:
  /// `checks_upgrade`: check path, parameters and key as the profile's provider does.
  struct Setting {
    simulator::Options options;
    bool checks_upgrade = false;
    std::filesystem::path received_file;
  };
  SimulatorService(Setting setting, relay::Worker& worker, Log& log);

  net::Awaitable<net::HttpResponse> answer(net::HttpRequest request) override;
  net::Awaitable<std::optional<Refused>> upgrade(net::HttpRequest request,
                                                 net::Transport transport) override;

 private:
  std::optional<net::HttpResponse> refusal(const net::HttpRequest& request) const;

  simulator::Options options_;
  const simulator::Profile& profile_;
  bool checks_upgrade_;
  ReceivedEvents received_;
  relay::Worker& worker_;
  Log& log_;
};

}  // namespace verbatim::app
