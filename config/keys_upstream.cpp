// Declares the settings of authentication and the provider.
#include "base/backoff.hpp"
#include "config/declare.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

std::vector<Key> make_auth_keys() {
  std::vector<Key> table{
      key("auth.api_keys", &S::auth, &Auth::api_keys, {}, api_keys(),
          "Keys of back ends, as hashes. `verbatim keygen` makes a key and prints the line for "
          "this list.",
          live)};
  add_secret(table, "auth.token_secret", &S::auth, &Auth::token_secret,
             "/run/secrets/verbatim-token",
             "Signs client tokens. Unset: a secret is made in the data directory. Set it if "
             "several relays must accept each other's tokens. VERBATIM_AUTH_TOKEN_SECRET may "
             "hold the secret itself.",
             live);
  add_secret(table, "auth.internal_service_key", &S::auth, &Auth::internal_service_key,
             "/run/secrets/verbatim-internal",
             "Key of the routes below /api/internal (header X-Internal-Service-Key). Unset: these "
             "routes refuse all requests. "
             "VERBATIM_AUTH_INTERNAL_SERVICE_KEY may hold the key itself.",
             live);
  table.push_back(key("auth.token_ttl", &S::auth, &Auth::token_ttl, 10min, duration(1s, 30 * day),
                      "Lifetime of a client token, if the request that mints it does not set one.",
                      live));
  table.push_back(key("auth.token_ttl_max", &S::auth, &Auth::token_ttl_max, 2h,
                      duration(1s, 30 * day), "The longest lifetime that a request can set.",
                      live));
  table.push_back(
      key("auth.development", &S::auth, &Auth::development, true, boolean(),
          "On a loopback address, admit the console and local clients without a token. No effect "
          "on any other address, or if auth.api_keys or auth.token_secret_file is set.",
          live));
  return table;
}

std::vector<Key> make_upstream_keys() {
  std::vector<Key> table{
      key("upstream.url", &S::upstream, &Upstream::url, {}, upstream_url(),
          "The provider. Empty: OpenAI if there is an API key, otherwise the built-in simulated "
          "provider.")};
  add_secret(table, "upstream.api_key", &S::upstream, &Upstream::api_key, "/run/secrets/openai",
             "The provider's key. VERBATIM_UPSTREAM_API_KEY may hold the key itself; if "
             "neither is set, OPENAI_API_KEY is used. SIGHUP reads the file again, for new "
             "connections to the provider.",
             live);
  const std::vector<Key> rest{
      key("upstream.auth", &S::upstream, &Upstream::auth, UpstreamAuth::bearer,
          choice<UpstreamAuth>({{"bearer", UpstreamAuth::bearer},
                                {"api_key_header", UpstreamAuth::api_key_header},
                                {"basic", UpstreamAuth::basic}}),
          "How the key is sent: `Authorization: Bearer`; the header `api-key`, for Azure; or "
          "`Authorization: Basic` with a key that is already in Base64, for Inworld."),
      key("upstream.organization", &S::upstream, &Upstream::organization, {},
          name("an id, or nothing", true), "Sent as OpenAI-Organization and OpenAI-Project.", live),
      key("upstream.project", &S::upstream, &Upstream::project, {}, name("an id, or nothing", true),
          with_the_last, live),
      key("upstream.model", &S::upstream, &Upstream::model, "gpt-realtime", name("a model's name"),
          "The model for clients that name none.", live),
      key("upstream.model_parameter", &S::upstream, &Upstream::model_parameter, "model",
          parameter(),
          "The query parameter that carries the model. Azure's preview endpoints need "
          "`deployment`.",
          live),
      key("upstream.ca_file", &S::upstream, &Upstream::ca_file, {}, path("a PEM file, or nothing"),
          "The only certificate authority to trust, for a provider with a private certificate. "
          "Empty: the system's."),
      key("upstream.proxy", &S::upstream, &Upstream::proxy, {}, proxy_url(),
          "An HTTP proxy between the relay and the provider (CONNECT)."),
      key("upstream.connect_timeout", &S::upstream, &Upstream::connect_timeout, 10s,
          duration(100ms, 5min), "Time for name lookup, connection, TLS and upgrade together.",
          live),
      key("upstream.created_timeout", &S::upstream, &Upstream::created_timeout, 10s,
          duration(100ms, 5min), "Time from the upgrade to session.created.", live),
      key("upstream.message_bytes_max", &S::upstream, &Upstream::message_bytes_max, 80 * MiB,
          bytes(64 * KiB, 256 * MiB),
          "One message of the provider. An audio delta has some kilobytes; a long item that is "
          "retrieved can have megabytes. The provider also repeats what a client has sent, at "
          "worst with each letter as \\uXXXX: three times session.client_message_bytes_max. A "
          "longer message is dropped.",
          live),
      key("upstream.reconnect_attempts_max", &S::upstream, &Upstream::reconnect_attempts_max, 5,
          number<std::size_t>(0, 1000),
          "After the connection to the provider is lost: how many times in a row to try a new "
          "one, which then gets the conversation so far. 0: the conversation ends.",
          live),
      key("upstream.reconnect_pause_min", &S::upstream, &Upstream::reconnect_pause_min,
          milliseconds(BackoffOptions{}.pause_min_ms), duration(1ms, 1min),
          "The pause before the first try. It doubles with each further one, with random spread, "
          "so that not all conversations reconnect at once.",
          live),
      key("upstream.reconnect_pause_max", &S::upstream, &Upstream::reconnect_pause_max,
          milliseconds(BackoffOptions{}.pause_max_ms), duration(1ms, 10min), "The longest pause.",
          live),
      key("upstream.rotate_after", &S::upstream, &Upstream::rotate_after, 55min, duration(0s, 24h),
          "Providers end a session after some time (OpenAI: an hour). Before that, the relay "
          "prepares a second connection and switches to it while nothing is being said; earlier "
          "if the provider names an earlier end. 0s: never.",
          live),
  };
  table.insert(table.end(), rest.begin(), rest.end());
  return table;
}

}  // namespace verbatim::config
