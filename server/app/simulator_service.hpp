// Puts the simulated provider on a WebSocket: `verbatim simulate`, and the built-in provider when
// no key is set. One object per worker.
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

/// Every client event as it came, but for audio: one a line, in the file before it is acted upon.
class ReceivedEvents {
 public:
  /// An empty path keeps nothing. Throws std::runtime_error if the file cannot be opened.
  explicit ReceivedEvents(const std::filesystem::path& file);
  void add(std::string_view event);

 private:
  std::ofstream file_;
};

class SimulatorService final : public HttpService {
 public:
  /// `door`: it asks for path, parameters and key as the profile's provider does.
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
