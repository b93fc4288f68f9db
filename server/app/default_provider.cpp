#include "server/app/default_provider.hpp"

#include <utility>

namespace verbatim::app {

std::unique_ptr<BuiltInProvider> provider_if_none(config::Settings& settings,
                                                  const net::Executor& control, Log& log) {
  if (!settings.upstream.url.empty()) return nullptr;
  if (!settings.upstream.api_key.empty()) {
    settings.upstream.url = openai_url;
    return nullptr;
  }
  simulator::Options script;
  script.recordings_dir = settings.simulator.recordings_dir;
  script.profile = settings.simulator.profile;
  auto provider =
      std::make_unique<BuiltInProvider>(std::move(script), control, settings.server, log);
  settings.upstream.url = provider->url();
  log.warn("upstream.simulated",
           {{"why",
             "neither OPENAI_API_KEY nor upstream.url is set: answers come from the built-in "
             "simulated provider"}});
  return provider;
}

}  // namespace verbatim::app
