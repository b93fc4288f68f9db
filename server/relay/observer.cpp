#include "server/relay/observer.hpp"

namespace verbatim::relay {

std::shared_ptr<ConversationObserver> observe(ObserverSource* source,
                                              const access::RealtimeCall& call,
                                              const store::OpenedAttempt& opened, bool taken_up,
                                              std::string_view configured_model) {
  if (source == nullptr) return nullptr;
  ObservedConversation conversation;
  conversation.session_id = call.session_id;
  conversation.attempt_number = opened.number;
  conversation.attempt_started_at = opened.started_at;
  conversation.requested_at = call.requested_at;
  // A transcription session has no model.
  if (!call.transcription)
    conversation.model = call.model.empty() ? configured_model : std::string_view(call.model);
  conversation.traceparent = call.traceparent;
  conversation.metadata_json = call.metadata_json;
  conversation.taken_up = taken_up;
  return source->observe(conversation);
}

}  // namespace verbatim::relay
