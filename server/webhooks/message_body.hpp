// The body of a webhook message. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>

#include "storage/store/webhook_store.hpp"

namespace verbatim::webhooks {

/// JSON. Without the transcript if it would be longer than `bytes_max`.
std::string message_body(const store::WebhookMessage& message, const store::MessageSubject& subject,
                         std::size_t bytes_max);

}  // namespace verbatim::webhooks
