// Limits on posts: the posts of a session in a minute, and the allowance of each client token.
//
// Any thread.
#pragma once

#include "base/rate_limit.hpp"
#include "config/settings.hpp"
#include "server/api/post_allowance.hpp"

namespace verbatim::api {

struct PostLimits {
  explicit PostLimits(const config::Posts& settings)
      : of_back_ends(settings.per_minute),
        of_clients((settings.per_minute + 1) / 2),
        of_tokens({settings.client_turns_max, settings.client_bytes_max}) {}

  void reload(const config::Posts& settings) {
    of_back_ends.set_limit(settings.per_minute);
    of_clients.set_limit((settings.per_minute + 1) / 2);
    of_tokens.set_most({settings.client_turns_max, settings.client_bytes_max});
  }

  RateLimit of_back_ends;
  RateLimit of_clients;
  PostAllowance of_tokens;
};

}  // namespace verbatim::api
