// verbatim token, verbatim keygen
#include <filesystem>
#include <iostream>
#include <stdexcept>

#include "base/aead.hpp"
#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/ids.hpp"
#include "base/json/tree.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/commands/offline.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/process.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/access/misplaced_secret.hpp"

namespace verbatim::app {

namespace {

struct TokenOptions {
  std::string user;
  std::string session_id;
  std::string ttl = "600s";
  std::string metadata = "{}";
};

std::int64_t seconds_from(const std::string& text) {
  std::size_t used = 0;
  std::int64_t value = 0;
  try {
    value = std::stoll(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  const std::string unit = text.substr(used);
  const std::int64_t factor = unit == "s" || unit.empty() ? 1
                              : unit == "m"               ? 60
                              : unit == "h"               ? 3600
                              : unit == "d"               ? 86400
                                                          : 0;
  constexpr std::int64_t most = 100LL * 365 * 86400;
  if (used == 0 || factor == 0 || value <= 0 || value > most / factor) {
    throw std::invalid_argument(text + " is not a duration such as 600s, 10m or 2h");
  }
  return value * factor;
}

void add_token_options(CLI::App& parser, TokenOptions& options) {
  parser.add_option("--user", options.user, "id of the user")->required()->check(not_empty());
  parser.add_option("--session", options.session_id, "session id; default: a new one")
      ->check(not_empty());
  parser.add_option("--ttl", options.ttl, "lifetime, such as 600s, 10m or 2h; default: 10m")
      ->check(checked_by([](const std::string& text) { seconds_from(text); }));
  parser.add_option("--metadata", options.metadata, "JSON object with metadata");
}

/// Whether the session belongs to another user, if this machine has the store. A token may also be
/// made before the first start, or on another machine.
bool is_of_another_user(const config::Settings& settings, const access::TokenClaims& claims) {
  const std::filesystem::path file = database_in(settings.server.data_dir);
  if (claims.session_open || !std::filesystem::exists(file)) return false;
  const auto owner = store_of(settings).find_owner(claims.session_id);
  return owner && *owner != claims.user;
}

/// Stores the token so that it can be listed and revoked. Its signature alone makes it valid.
void write_down(const config::Settings& settings, const access::TokenClaims& claims,
                std::int64_t wall) {
  if (!std::filesystem::exists(database_in(settings.server.data_dir))) return;
  try {
    store::ClientToken token;
    token.id = claims.id;
    token.user = claims.user;
    token.session_id = claims.session_id;
    token.session_open = claims.session_open;
    token.created_at = wall;
    token.expires_at = claims.expires_at_s * 1000;
    store_of(settings).save_token(token);
  } catch (const store::StorageError& error) {
    std::cerr << "verbatim: the token is valid, but it cannot be listed or revoked: "
              << error.what() << "\n";
  }
}

access::TokenClaims claims_of(const TokenOptions& options, const Json& metadata,
                              std::int64_t wall) {
  access::TokenClaims claims;
  claims.id = new_sortable_id("cs_", wall);
  claims.user = options.user;
  claims.session_open = options.session_id.empty();
  claims.session_id =
      options.session_id.empty() ? new_sortable_id("sess_", wall) : options.session_id;
  claims.metadata_json = metadata.dump();
  claims.expires_at_s = wall / 1000 + seconds_from(options.ttl);
  return claims;
}

std::string signed_by(const config::Settings& settings, const access::TokenClaims& claims) {
  std::filesystem::create_directories(settings.server.data_dir);
  const std::string secret = settings.auth.token_secret.empty()
                                 ? token_secret_in(settings.server.data_dir)
                                 : settings.auth.token_secret.reveal();
  return access::Authenticator({}, secret, false).mint(claims);
}

int token(const Common& common, const TokenOptions& options) {
  const config::Settings settings = common.settings();
  if (!settings.server.core_dumps) forbid_dumps();
  const Json metadata = Json::parse(options.metadata, nullptr, false);
  if (!metadata.is_object()) return fail("--metadata must be a JSON object", exit_code::bad_usage);
  const std::int64_t longest = settings.auth.token_ttl_max.count() / 1000;
  if (seconds_from(options.ttl) > longest)
    return fail("--ttl: at most " + std::to_string(longest) + "s (auth.token_ttl_max)",
                exit_code::bad_usage);
  const std::int64_t wall = now().wall;
  const access::TokenClaims claims = claims_of(options, metadata, wall);
  if (!is_valid_session_id(claims.session_id)) {
    return fail("--session must be 1 to 128 letters, digits, '_', '-', '.' or ':'",
                exit_code::bad_usage);
  }
  for (const std::string& id : {claims.session_id, claims.user}) {
    if (!access::IdGuard(settings).admits(id))
      return fail("--session or --user" + std::string(access::IdGuard::why), exit_code::bad_usage);
  }
  if (is_of_another_user(settings, claims)) {
    return fail("this user has no session " + claims.session_id, exit_code::not_found);
  }
  const std::string value = signed_by(settings, claims);
  if (const auto why =
          access::too_long(value, settings.server.header_bytes_max,
                           {{"--metadata", claims.metadata_json}, {"--user", claims.user}}))
    return fail(*why, exit_code::bad_usage);
  write_down(settings, claims, wall);
  if (common.as_json) {
    print({{"value", value},
           {"expires_at", claims.expires_at_s},
           {"token_id", claims.id},
           {"session_id", claims.session_id},
           {"user", claims.user}});
  } else {
    std::cout << value << "\n";
  }
  return exit_code::ok;
}

struct KeygenOptions {
  bool recording = false;
};

void add_keygen_options(CLI::App& parser, KeygenOptions& options) {
  parser.add_flag("--recording", options.recording,
                  "a master key that encrypts recordings, for recording.key_file");
}

int recording_key(const Common& common) {
  const std::string key = to_hex(random_bytes(aead::key_bytes));
  if (common.as_json) {
    print({{"key", key}});
  } else {
    std::cout << key << "\n";
    std::cerr << "Put it into the file of recording.key_file, above older keys, and keep a copy "
                 "elsewhere. Without it recordings cannot be heard.\n";
  }
  return exit_code::ok;
}

int keygen(const Common& common, const KeygenOptions& options) {
  if (options.recording) return recording_key(common);
  const access::NewApiKey made = access::make_api_key();
  if (common.as_json) {
    print({{"key", made.key}, {"sha256", "sha256:" + made.sha256}});
  } else {
    std::cout << made.key << "\nsha256:" << made.sha256 << "\n";
    std::cerr << "The first line is the key. It is shown only once. Put the second line into "
                 "auth.api_keys.\n";
  }
  return exit_code::ok;
}

}  // namespace

Family credential_commands() {
  return {"",
          "",
          {command("token", "mint a client token", add_token_options, token),
           command("keygen", "make a back-end API key, or a key for recordings", add_keygen_options,
                   keygen)}};
}

}  // namespace verbatim::app
