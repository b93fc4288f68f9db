#include "server/webhooks/message_body.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.hpp"

namespace verbatim::webhooks {

using nlohmann::json;

std::string message_body(const store::Message& message, const store::MessageSubject& subject,
                         std::size_t bytes_max) {
  const store::SessionSummary& session = subject.session;
  const transcript::TranscriptView& view = subject.attempt;
  json data = {{"session_id", message.session_id},
               {"attempt", message.attempt},
               {"user", session.user},
               {"metadata", json::parse(session.metadata_json, nullptr, false)},
               {"private", json::parse(session.private_json, nullptr, false)},
               {"status", transcript::to_string(view.status)},
               {"turns", view.turns.size()},
               {"complete", view.complete}};
  data["close_reason"] =
      view.close_reason ? json(transcript::to_string(*view.close_reason)) : json();
  data["ended_at"] = view.ended_at ? json(iso_time(*view.ended_at)) : json();
  if (view.receipt) data["receipt"] = json::parse(transcript::render_receipt(*view.receipt));
  if (!message.item_id.empty()) data["item_id"] = message.item_id;
  json body = {{"type", store::to_string(message.kind)},
               {"timestamp", iso_time(message.created_at)},
               {"data", std::move(data)}};
  const auto dump = [&body] { return body.dump(-1, ' ', false, json::error_handler_t::replace); };
  if (message.kind == store::MessageKind::session_started) return dump();
  body["data"]["transcript"] = json::parse(transcript::render(view, transcript::Format::json));
  std::string whole = dump();
  if (whole.size() <= bytes_max) return whole;
  body["data"].erase("transcript");
  body["data"]["transcript_omitted"] = true;
  return dump();
}

}  // namespace verbatim::webhooks
