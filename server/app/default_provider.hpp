// The provider that the relay uses if the configuration names none.
#pragma once

#include <memory>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/app/simulator_app.hpp"
#include "server/net/async.hpp"

namespace verbatim::app {

inline constexpr const char* openai_url = "wss://api.openai.com/v1/realtime";

/// Sets upstream.url, if it is empty: with a key OpenAI's, without one that of a simulated provider
/// inside of this process, which is returned. Null in all other cases.
std::unique_ptr<BuiltInProvider> provider_if_none(config::Settings& settings,
                                                  const net::Executor& control, Log& log);

}  // namespace verbatim::app
