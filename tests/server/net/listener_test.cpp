// The end of a listener.
#include "server/net/listener.hpp"

#include <catch2/catch.hpp>

#include "server/relay/metrics.hpp"
#include "server/relay/worker.hpp"

using namespace verbatim;
using namespace verbatim::net;
using namespace verbatim::relay;

namespace {

struct Nothing final : HttpService {
  Awaitable<HttpResponse> answer(HttpRequest) override { co_return HttpResponse{}; }
  Awaitable<std::optional<Refused>> upgrade(HttpRequest, Transport) override {
    co_return std::nullopt;
  }
};

}  // namespace

TEST_CASE("operations left by the acceptor at the end need no worker any more", "[listener]") {
  // As in App: the accepting event loop is made before the workers and destroyed after them.
  asio::io_context control;
  Log log({});
  Metrics metrics(1);
  Nothing service;
  {
    Worker worker(metrics.tally(0));
    Listener listener(control.get_executor(), {"127.0.0.1", 0}, nullptr,
                      http_limits(verbatim::config::Settings().server), {1, 1},
                      {{worker.executor(), &service}}, log);
    listener.start();
    control.poll();
    listener.stop();  // the loop gets no time to notice
  }
}
