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

namespace verbatim::server {

/// Writes each client event except audio to a file, one on a line, before the event is handled.
class ReceivedEvents {
 public:
  /// Writes nothing if `file` is empty. Throws std::runtime_error if it cannot be opened.
  explicit ReceivedEvents(const std::filesystem::path& file);
  void add(std::string_view event);

 private:
  std::ofstream file_;
};

class SimulatorService final : public HttpService {
 public:
  /// `door`: check path, parameters and key as the profile's provider does.
  struct Setting {
    simulator::Options options;
    bool door = false;
    std::filesystem::path received_file;
  };
  SimulatorService(Setting setting, Worker& worker, Log& log);

  Awaitable<HttpResponse> answer(HttpRequest request) override;
  Awaitable<std::optional<Refused>> upgrade(HttpRequest request, Transport transport) override;

 private:
  std::optional<HttpResponse> refusal(const HttpRequest& request) const;

  simulator::Options options_;
  const simulator::Profile& profile_;
  bool door_;
  ReceivedEvents received_;
  Worker& worker_;
  Log& log_;
};

}  // namespace verbatim::server
