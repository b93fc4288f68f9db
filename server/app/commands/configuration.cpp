// verbatim check
#include <iostream>

#include "server/app/commands/families.hpp"
#include "server/app/commands/offline.hpp"
#include "server/net/tls.hpp"
#include "server/relay/access/token_terms.hpp"

namespace verbatim::app {

namespace {

struct CheckOptions {
  std::string data_dir;
  const CLI::Option* with_data = nullptr;
};

void add_check_options(CLI::App& parser, CheckOptions& options) {
  options.with_data =
      parser.add_option("--data", options.data_dir, "check stored data; default: server.data_dir")
          ->expected(0, 1);
}

int check(const Common& common, const CheckOptions& options) {
  if (options.with_data->count() > 0) return check_data(common, options.data_dir);
  const config::Settings settings = common.settings();
  for (const std::string& warning : settings.warnings)
    std::cerr << "verbatim: warning: " << warning << "\n";
  access::require_known_fields(settings);
  if (settings.tls.enabled && !settings.tls.cert_file.empty())
    net::server_context({settings.tls.cert_file, settings.tls.key_file});
  if (!settings.upstream.ca_file.empty()) net::client_context(settings.upstream.ca_file);
  std::cout << (common.as_json ? config::to_json(settings) : config::to_toml(settings));
  return exit_code::ok;
}

}  // namespace

Family configuration_commands() {
  return {"",
          "",
          {command("check", "validate the configuration and print it", add_check_options, check)}};
}

}  // namespace verbatim::app
