// SIGHUP: reads the configuration again, and gives the parts of the program what changes while it
// runs. Everything is checked before the first part changes, so an error leaves all of them as they
// were.
//
// On the control thread.
#pragma once

#include <memory>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/api/router.hpp"
#include "server/app/credentials.hpp"
#include "server/app/data_dir.hpp"
#include "server/net/answer_memory.hpp"
#include "server/net/body_memory.hpp"
#include "server/net/large_messages.hpp"
#include "server/net/listener.hpp"
#include "server/net/tls.hpp"
#include "server/relay/access/admission.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "server/relay/journal_shares.hpp"
#include "server/relay/realtime_endpoint.hpp"
#include "server/relay/session_eraser.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/upstream.hpp"
#include "server/traces/tracer.hpp"
#include "server/webhooks/dispatcher.hpp"
#include "session/protocol/secret_filter.hpp"

namespace verbatim::app {

net::CertificateFiles certificate_files(const config::Tls& settings, const DataDir& data_dir);
/// New connections get this certificate, and the metrics show when it expires.
void use_certificate(std::shared_ptr<asio::ssl::context> context, net::ServerTls& tls,
                     net::ConnectionCounts& counts);

/// The most bytes of one message, and the memory for all large ones.
std::size_t largest_message(const config::Settings& settings);
std::size_t large_bytes_max(const config::Settings& settings);

/// The listeners, and their certificate.
struct Listeners {
  net::ServerTls& tls;
  net::ConnectionCounts& counts;
  net::Listener& main;
  net::Listener* metrics;  ///< null: there is none
};

/// Memory that all connections share.
struct SharedMemory {
  net::BodyMemory& bodies;
  net::AnswerMemory& answers;
  net::LargeMessages& large_messages;
};

/// Services that the relay calls.
struct Outside {
  relay::Upstream& upstream;
  bool simulated;  ///< the built-in provider answers
  webhooks::Webhooks& webhooks;
  traces::Tracer& tracer;
};

/// All references must outlive the Reloader.
struct ReloadParts {
  config::LiveSettings& in_force;
  const DataDir& data_dir;
  protocol::SecretFilter& hidden;
  access::IdGuard& ids;
  Credentials& credentials;
  Listeners listeners;
  Outside outside;
  relay::Registry& registry;
  access::AdmissionControl& admission_control;
  relay::JournalShares& journal_shares;
  relay::Erasure& erasure;
  SharedMemory memory;
  api::Api& api;
  relay::RealtimeEndpoint& realtime;
  Log& log;
};

class Reloader {
 public:
  /// `sources`: where the settings come from.
  /// `configured`: the settings at the start, as they were read.
  Reloader(ReloadParts parts, config::Sources sources, config::Settings configured)
      : parts_(parts), sources_(std::move(sources)), configured_(std::move(configured)) {}

  /// Throws, and changes nothing, if the new configuration cannot be used.
  config::Reloaded run();
  /// Logs the keys that have changed, and those that need a restart.
  void report(const config::Reloaded& done) const;

 private:
  config::Settings with_start_values(config::Settings next) const;
  void take_over(const config::Settings& next);
  void use_provider_key(const Secret& fresh);

  ReloadParts parts_;
  const config::Sources sources_;
  config::Settings configured_;  ///< with what was taken over since
};

}  // namespace verbatim::app
