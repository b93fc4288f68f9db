// Watches the calls to webhooks: for traces. server/traces implements it.
//
// On the targets' threads; it must not block.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "storage/store/webhook_store.hpp"

namespace verbatim::webhooks {

/// One call that has ended. Views are valid during the call.
struct CallReport {
  std::string_view target;  ///< its name, never the URL
  TimeMs called_at = 0;
  std::chrono::milliseconds took{};
  int status = 0;  ///< 0: no answer
  store::DeliveryState state = store::DeliveryState::waiting;
};

class DeliveryObserver {
 public:
  virtual ~DeliveryObserver() = default;
  /// The header `traceparent` of a call that begins; empty: its conversation is not traced.
  virtual std::string begin_call(const store::WebhookMessage& message) = 0;
  /// `traceparent`: as begin_call() returned it; never empty.
  virtual void end_call(const store::WebhookMessage& message, std::string_view traceparent,
                        const CallReport& report) = 0;
};

}  // namespace verbatim::webhooks
