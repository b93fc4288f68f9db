// Puts the simulated provider on a WebSocket: `verbatim simulate`, and the built-in provider when
// no key is set. One object per worker.
#pragma once

#include "server/http_connection.hpp"
#include "server/log.hpp"
#include "server/worker.hpp"
#include "simulator/simulated_connection.hpp"

namespace verbatim::server {

class SimulatorService final : public HttpService {
 public:
  SimulatorService(simulator::Options options, Worker& worker, Log& log)
      : options_(std::move(options)), worker_(worker), log_(log) {}

  Awaitable<HttpResponse> answer(HttpRequest request) override;
  Awaitable<std::optional<Refused>> upgrade(HttpRequest request, Transport transport) override;

 private:
  simulator::Options options_;
  Worker& worker_;
  Log& log_;
};

}  // namespace verbatim::server
