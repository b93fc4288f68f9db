#include "server/app/simulator_app.hpp"

#include <boost/asio/basic_signal_set.hpp>
#include <csignal>
#include <string_view>
#include <utility>

#include "server/app/process.hpp"
#include "server/net/tls.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "simulator/profile.hpp"

namespace verbatim::app {

BuiltInProvider::BuiltInProvider(simulator::Options options, net::Executor control,
                                 const config::Server& limits, Log& log)
    : metrics_(1),
      worker_(metrics_.tally(0)),
      service_({std::move(options), false, {}}, worker_, log),
      listener_(std::move(control), {"127.0.0.1", 0}, nullptr, net::http_limits(limits),
                net::connection_limits(limits), {{worker_.executor(), &service_}}, log) {
  listener_.start();
}

BuiltInProvider::~BuiltInProvider() {
  listener_.stop();
  worker_.join();
}

std::string BuiltInProvider::url() const {
  return "ws://127.0.0.1:" + std::to_string(listener_.port()) + "/v1/realtime";
}

int run_simulator(const SimulatorApp& options) {
  Log log(options.log, access::without_secrets);
  raise_file_limit();
  asio::io_context control{1};
  relay::Metrics metrics(1);
  relay::Worker worker(metrics.tally(0));
  simulator::Options script;
  script.recordings_dir = options.recordings_dir;
  script.pace = options.pace;
  script.seed = options.seed;
  script.faults = options.faults;
  script.profile = options.profile;
  SimulatorService service({script, !options.profile.empty(), options.received_file}, worker, log);
  net::ServerTls tls(options.tls.enabled
                         ? net::server_context({options.tls.cert_file, options.tls.key_file})
                         : nullptr);
  const config::Server limits = config::Settings().server;
  net::Listener listener(control.get_executor(), options.listen,
                         options.tls.enabled ? &tls : nullptr, net::http_limits(limits),
                         net::connection_limits(limits), {{worker.executor(), &service}}, log);
  listener.start();
  const std::string url = listener.url();
  const std::string_view path = simulator::profile_named(options.profile).path;
  log.info("simulator.ready", {{"url", "ws" + url.substr(4) + std::string(path)}});
  write_ready_file(options.ready_file, url);
  asio::basic_signal_set<net::Executor> signals(control.get_executor(), SIGTERM, SIGINT);
  signals.async_wait([&](error_code, int) {
    listener.stop();
    control.stop();
  });
  control.run();
  worker.join();
  return 0;
}

}  // namespace verbatim::app
