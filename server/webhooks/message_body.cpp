#include "server/webhooks/message_body.hpp"

#include <utility>

#include "base/clock.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"

namespace verbatim::webhooks {

std::string message_body(const store::WebhookMessage& message, const store::MessageSubject& subject,
                         std::size_t bytes_max) {
  const store::SessionSummary& session = subject.session;
  const transcript::TranscriptView& view = subject.attempt;
  Json data = {{"session_id", message.session_id},
               {"attempt", message.attempt},
               {"user", session.user},
               {"metadata", Json::parse(session.metadata_json, nullptr, false)},
               {"private", Json::parse(session.private_json, nullptr, false)},
               {"status", transcript::to_string(view.status)},
               {"turns", view.turns.size()},
               {"complete", view.complete}};
  data["close_reason"] =
      view.close_reason ? Json(transcript::to_string(*view.close_reason)) : Json();
  data["ended_at"] = view.ended_at ? Json(iso_time(*view.ended_at)) : Json();
  if (view.receipt) data["receipt"] = Json::parse(transcript::render_receipt(*view.receipt));
  if (!message.item_id.empty()) data["item_id"] = message.item_id;
  Json body = {{"type", store::to_string(message.kind)},
               {"timestamp", iso_time(message.created_at)},
               {"data", std::move(data)}};
  if (message.kind == store::WebhookKind::session_started) return dump(body);
  body["data"]["transcript"] = Json::parse(transcript::render(view, transcript::Format::json));
  std::string whole = dump(body);
  if (whole.size() <= bytes_max) return whole;
  body["data"].erase("transcript");
  body["data"]["transcript_omitted"] = true;
  return dump(body);
}

}  // namespace verbatim::webhooks
