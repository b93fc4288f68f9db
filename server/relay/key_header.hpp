// The header that carries the provider's key. Pure; any thread.
#pragma once

#include <string>
#include <utility>

#include "base/secret.hpp"
#include "config/settings.hpp"

namespace verbatim::relay {

/// Name and value of the header.
inline std::pair<std::string, std::string> key_header(config::UpstreamAuth auth,
                                                      const Secret& key) {
  switch (auth) {
    case config::UpstreamAuth::basic:
      return {"Authorization", "Basic " + key.reveal()};
    case config::UpstreamAuth::api_key_header:
      return {"api-key", key.reveal()};
    case config::UpstreamAuth::bearer:
      break;
  }
  return {"Authorization", "Bearer " + key.reveal()};
}

}  // namespace verbatim::relay
