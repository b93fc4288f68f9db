#include "server/app/reload.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/comma_list.hpp"
#include "server/relay/access/configured_secrets.hpp"

namespace verbatim::app {

namespace {

bool changed_in(const config::Reloaded& next, std::string_view section) {
  return std::any_of(next.changed.begin(), next.changed.end(),
                     [section](const std::string& key) { return key.starts_with(section); });
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

std::size_t largest_message(const config::Settings& settings) {
  return std::max(settings.session.client_message_bytes_max, settings.upstream.message_bytes_max);
}

std::size_t large_bytes_max(const config::Settings& settings) {
  return std::max(settings.server.large_message_bytes, largest_message(settings));
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
  std::shared_ptr<webhooks::Webhooks::Fresh> targets;
  if (changed_in(next, "webhook."))
    targets = parts_.outside.webhooks.prepare(next.settings.webhook);
  std::shared_ptr<const traces::Tracer::Setup> tracing;
  if (changed_in(next, "trace."))
    tracing =
        traces::Tracer::setup(next.settings.trace, with_start_values(next.settings).upstream.url);
  // From here on nothing fails.
  if (certificate)
    use_certificate(std::move(certificate), parts_.listeners.tls, parts_.listeners.counts);
  parts_.credentials.use(std::move(authenticator));
  if (targets)
    parts_.outside.webhooks.use(targets);
  else
    parts_.outside.webhooks.set_secrets(next.settings.webhook);
  if (tracing) parts_.outside.tracer.use(std::move(tracing));
  use_provider_key(fresh.upstream.api_key);
  next.settings.upstream.api_key = *parts_.outside.upstream.key();
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
  parts_.outside.upstream.reload(in_force.upstream, in_force.server.large_message_timeout);
  parts_.in_force.set(std::make_shared<const config::Settings>(std::move(in_force)));
  parts_.api.reload();
  parts_.realtime.reload();
  parts_.registry.set_sessions_max(next.session.sessions_max);
  parts_.admission_control.reload(next.limits);
  parts_.journal_shares.reload(next.limits);
  for (net::Listener* const one : {&parts_.listeners.main, parts_.listeners.metrics})
    if (one) one->reload(net::http_limits(next.server), net::connection_limits(next.server));
  parts_.memory.bodies.set_limits(next.server.bodies_bytes_max, next.server.body_bytes_max);
  parts_.memory.answers.set_limit(next.server.answers_bytes_max);
  parts_.memory.large_messages.set_limits(large_bytes_max(next), largest_message(next));
  parts_.erasure.reload(3 * next.session.close_timeout, next.session.resume_window);
  parts_.log.set_level(next.log.level);
  parts_.log.set_format(next.log.format);
}

/// Existing upstream connections keep their key.
void Reloader::use_provider_key(const Secret& fresh) {
  if (fresh.reveal() == parts_.outside.upstream.key()->reveal()) return;
  if (fresh.empty()) {
    parts_.log.warn("upstream.key_kept",
                    {{"why", "the configuration names no upstream.api_key_file"},
                     {"now", "the previous key stays in use until a restart"}});
  } else if (parts_.outside.simulated) {
    parts_.log.warn("upstream.key_not_used", {{"why", "answers come from the simulated provider"},
                                              {"now", "restart to use a real provider"}});
  } else {
    parts_.outside.upstream.use_key(fresh);
    parts_.log.info("upstream.key_replaced", {{"now", "new connections to the provider use it"}});
  }
}

void Reloader::report(const config::Reloaded& done) const {
  parts_.log.info("server.reloaded",
                  {{"changed", comma_list(done.changed)},
                   {"also", "certificates, secrets and templates were read again"}});
  if (done.need_restart.empty()) return;
  parts_.log.warn("server.restart_needed",
                  {{"keys", comma_list(done.need_restart)},
                   {"now", "these changes have no effect until a restart"}});
}

}  // namespace verbatim::app
