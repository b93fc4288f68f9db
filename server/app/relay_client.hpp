// Calls of a running relay's API, for commands that act on what only the relay can: its live
// conversations.
//
// On the main thread.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "base/secret.hpp"
#include "server/app/command_line.hpp"

namespace verbatim::app {

/// Name of the environment variable with the back-end key. A key is never an argument: those are
/// visible to other users of the machine.
inline constexpr const char* api_key_variable = "VERBATIM_API_KEY";

struct RelayOptions {
  std::string url;       ///< empty: where the configuration says that the relay listens
  std::string key_file;  ///< empty: the key is in the environment, or none is needed
  std::string ca_file;   ///< authorities of the relay's certificate; empty: the system's
};
void add_relay_options(CLI::App& parser, RelayOptions& options);

struct RelayAnswer {
  int status = 0;  ///< 0: there was no answer
  std::string body;
  std::string why;  ///< why there was no answer; otherwise empty
};

/// A relay that listens on this machine is recognised by the public key of its certificate, which
/// the configuration or the data folder names. Throws config::ConfigError.
class RelayClient {
 public:
  RelayClient(const config::Settings& settings, const RelayOptions& options);

  /// `path`: with the query, percent-encoded. `body`: JSON, or empty.
  RelayAnswer call(const std::string& method, const std::string& path,
                   const std::string& body = {}) const;
  const std::string& url() const { return url_; }

 private:
  std::string url_;  ///< without a slash at the end
  Secret key_;
  std::string ca_file_;
  std::string pin_;  ///< of the certificate's public key, as libcurl takes it; empty: none
};

/// Prints why a call failed, in the relay's own words if it gave any. Returns the exit code.
int fail(const RelayClient& relay, const RelayAnswer& answer);

}  // namespace verbatim::app
