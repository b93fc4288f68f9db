// Traces of the whole program: decides which conversations are traced, and sends their spans to a
// collector. Without trace.otlp_url nothing is traced, and there is no thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/relay/observer.hpp"
#include "server/traces/conversation_trace.hpp"
#include "server/traces/exporter.hpp"
#include "server/traces/recent_traces.hpp"
#include "server/webhooks/delivery_observer.hpp"

namespace verbatim::relay {
class MetricsPage;
}  // namespace verbatim::relay

namespace verbatim::traces {

/// The recovery at a start.
struct RecoveryFacts {
  Moment began;
  Moment ended;
  bool clean = false;  ///< nothing was left to recover
  struct Session {
    std::string id;
    int attempt = 0;
    std::int64_t events = 0;
    std::int64_t turns = 0;
  };
  std::vector<Session> sessions;  ///< attempts that were closed
  std::int64_t suspended = 0;     ///< attempts suspended in order, which wait for their clients
  std::int64_t recovering = 0;    ///< attempts of a killed process, which wait for their clients
  std::int64_t unreadable_rows = 0;
};

/// Throws config::ConfigError if trace.ca_file cannot be used.
void require_authorities(const config::Trace& settings);

class Tracer final : public relay::ObserverSource, public webhooks::DeliveryObserver {
 public:
  /// The settings, ready for use.
  struct Setup;
  /// Throws as require_authorities(), or std::runtime_error if libcurl cannot be initialised.
  /// `upstream_url`: the provider's.
  static std::shared_ptr<const Setup> setup(const config::Trace& settings,
                                            const std::string& upstream_url);

  /// Nothing is traced before the first use(). `log` must outlive the object.
  explicit Tracer(Log& log);
  ~Tracer() override;
  /// For conversations that begin from now on, and for the export of all spans. On the control
  /// thread.
  void use(std::shared_ptr<const Setup> setup);

  std::shared_ptr<relay::ConversationObserver> observe(
      const relay::ObservedConversation& conversation) override;
  std::string begin_call(const store::WebhookMessage& message) override;
  void end_call(const store::WebhookMessage& message, std::string_view traceparent,
                const webhooks::CallReport& report) override;
  /// Any thread.
  void recovered(const RecoveryFacts& facts);
  /// As Exporter::hurry().
  void hurry(std::chrono::milliseconds most) { exporter_.hurry(most); }
  /// Any thread.
  void add_metrics(relay::MetricsPage& page) const;

 private:
  bool on() const;

  Log& log_;
  Reloadable<const Setup> setup_;
  Exporter exporter_;
  RecentTraces recent_;
};

}  // namespace verbatim::traces
