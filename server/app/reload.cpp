#include "server/app/reload.hpp"

#include <string>
#include <utility>
#include <vector>

#include "server/relay/access/configured_secrets.hpp"

namespace verbatim::app {

namespace {

std::string list(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace

net::CertificateFiles certificate_files(const config::Tls& settings, const DataDir& data_dir) {
  if (!settings.cert_file.empty()) return {settings.cert_file, settings.key_file};
  return net::ensure_self_signed(data_dir.tls());
}

void use_certificate(std::shared_ptr<asio::ssl::context> context, net::ServerTls& tls,
                     net::ConnectionCounts& counts) {
  counts.certificate_expires_s = net::certificate_expiry_s(*context);
  tls.set(std::move(context));
}

config::Reloaded Reloader::run() {
  const config::Settings fresh = config::load(sources_);
  parts_.hidden.add(access::secrets_of(fresh));
  parts_.ids.add(fresh);
  config::Reloaded next = config::reload(configured_, fresh);
  auto authenticator = parts_.credentials.make(with_start_values(next.settings));
  if (authenticator->development() && !parts_.credentials.authenticator().get()->development()) {
    throw config::ConfigError(
        "auth.api_keys is now empty, so development mode would admit every program on this "
        "machine. The previous keys stay valid. Set another key, or restart the relay to use "
        "development mode.");
  }
  std::shared_ptr<asio::ssl::context> certificate;
  if (configured_.tls.enabled)
    certificate = net::server_context(certificate_files(next.settings.tls, parts_.data_dir));
  // From here on nothing fails.
  if (certificate) use_certificate(std::move(certificate), parts_.tls, parts_.counts);
  parts_.credentials.use(std::move(authenticator));
  parts_.webhooks.reload(fresh.webhook);
  use_provider_key(fresh.upstream.api_key);
  next.settings.upstream.api_key = *parts_.upstream.key();
  take_over(next.settings);
  configured_ = next.settings;
  return next;
}

/// The start may have chosen the provider, and have got its sockets from a service manager.
config::Settings Reloader::with_start_values(config::Settings next) const {
  const auto before = parts_.in_force.get();
  next.upstream.url = before->upstream.url;
  next.server.listen = before->server.listen;
  next.metrics.listen = before->metrics.listen;
  return next;
}

void Reloader::take_over(const config::Settings& next) {
  config::Settings in_force = with_start_values(next);
  parts_.upstream.reload(in_force.upstream);
  parts_.in_force.set(std::make_shared<const config::Settings>(std::move(in_force)));
  parts_.api.reload();
  parts_.realtime.reload();
  parts_.registry.set_sessions_max(next.session.sessions_max);
  parts_.admission_control.reload(next.limits);
  parts_.journal_shares.reload(next.limits);
  for (net::Listener* const one : {&parts_.listener, parts_.metrics_listener})
    if (one) one->reload(net::http_limits(next.server), net::connection_limits(next.server));
  parts_.erasure.retention_changed();
  parts_.log.set_level(next.log.level);
  parts_.log.set_format(next.log.format);
}

/// Existing upstream connections keep their key.
void Reloader::use_provider_key(const Secret& fresh) {
  if (fresh.reveal() == parts_.upstream.key()->reveal()) return;
  if (fresh.empty()) {
    parts_.log.warn("upstream.key_kept",
                    {{"why", "the configuration names no upstream.api_key_file"},
                     {"now", "the previous key stays in use until a restart"}});
  } else if (parts_.simulated) {
    parts_.log.warn("upstream.key_not_used", {{"why", "answers come from the simulated provider"},
                                              {"now", "restart to use a real provider"}});
  } else {
    parts_.upstream.use_key(fresh);
    parts_.log.info("upstream.key_replaced", {{"now", "new connections to the provider use it"}});
  }
}

void Reloader::report(const config::Reloaded& done) const {
  parts_.log.info("server.reloaded",
                  {{"changed", list(done.changed)},
                   {"also", "certificates, secrets and templates were read again"}});
  if (done.need_restart.empty()) return;
  parts_.log.warn(
      "server.restart_needed",
      {{"keys", list(done.need_restart)}, {"now", "these changes have no effect until a restart"}});
}

}  // namespace verbatim::app
