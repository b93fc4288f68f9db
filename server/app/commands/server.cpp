// verbatim serve, verbatim health
#include <chrono>
#include <iostream>

#include "base/json/tree.hpp"
#include "server/app/app.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/health_check.hpp"

namespace verbatim::app {

namespace {

struct ServeOptions {
  std::string ready_file;
};

void add_serve_options(CLI::App& parser, ServeOptions& options) {
  parser.add_option("--ready-file", options.ready_file, "file that gets {pid,url} when ready");
}

int serve(const Common& common, const ServeOptions& given) {
  App::hold_reloads();
  App::Options options;
  options.sources = common.sources();
  options.settings = config::load(options.sources);
  options.ready_file = given.ready_file;
  options.service_manager = ServiceManager::take_address();
  options.sockets = ServiceManager::take_sockets();
  App app(std::move(options));
  return app.run();
}

struct HealthOptions {
  std::string url;
};

void add_health_options(CLI::App& parser, HealthOptions& options) {
  parser.add_option("--url", options.url, "URL to ask; default: /readyz at server.listen");
}

std::string readiness_url_of(const config::Settings& settings) {
  return readiness_url(settings.server.listen, settings.tls.enabled);
}

int health(const Common& common, const HealthOptions& options) {
  const std::string url = options.url.empty() ? readiness_url_of(common.settings()) : options.url;
  const HealthAnswer answer = ask_health(url, std::chrono::seconds(4));
  const std::string detail = answer.detail.empty() ? "no answer" : answer.detail;
  // The answer of a relay is JSON; an error of the network is not.
  if (common.as_json && !Json::accept(detail))
    print({{"status", answer.status}, {"error", detail}});
  else
    std::cout << detail << "\n";
  return answer.status == 200 ? exit_code::ok : exit_code::failed;
}

}  // namespace

Family server_commands() {
  return {"",
          "",
          {command("serve", "run the relay (the default)", add_serve_options, serve),
           command("health", "ask a running relay whether it is ready; exit 0 or 1",
                   add_health_options, health)}};
}

}  // namespace verbatim::app
