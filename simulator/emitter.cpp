#include "simulator/emitter.hpp"

#include <utility>

#include "base/assert.hpp"
#include "base/base64.hpp"

namespace verbatim::simulator {

ClientFault missing_parameter(const std::string& param) {
  return {"missing_required_parameter", "Missing required parameter: '" + param + "'.", param};
}

Emitter::Emitter(Outgoing& outgoing, Ids& ids, const Profile& profile, const Faults& faults,
                 std::uint64_t seed)
    : outgoing_(outgoing),
      ids_(ids),
      faults_(faults),
      random_(seed),
      plain_(profile.spelling == nullptr && faults.no_item_ids == 0 && faults.odd_ids == 0),
      spelling_(profile.spelling == nullptr ? nullptr : profile.spelling(ids)) {
  if (profile.uuids) ids_.use_uuids();
  ids_.be_odd(faults.odd_ids);
}

void Emitter::send(std::string_view type, const OrderedJson& fields) {
  VERBATIM_EXPECTS(fields.is_object() || fields.is_null());
  OrderedJson event = {{"type", type}, {"event_id", ids_.make("event_")}};
  event.update(fields.is_null() ? OrderedJson::object() : fields);
  leave_out(event);
  spelled_.clear();
  if (spelling_) {
    spelling_->spell(std::move(event), spelled_);
  } else {
    spelled_.push_back(std::move(event));
  }
  for (const OrderedJson& spelled : spelled_) {
    if (faults_.no_session_created && spelled["type"] == "session.created") continue;
    outgoing_.event(spelled.dump());
  }
}

/// Removes what providers other than OpenAI do not send.
void Emitter::leave_out(OrderedJson& event) {
  const auto previous = event.find("previous_item_id");
  if (previous != event.end() && faults_.null_previous > 0 &&
      random_.chance(faults_.null_previous)) {
    *previous = nullptr;
  }
  const auto type = event["type"].get<std::string_view>();
  const bool text =
      type.starts_with("response.output_") && (type.ends_with(".delta") || type.ends_with(".done"));
  if (text && event.contains("item_id") && faults_.no_item_ids > 0 &&
      random_.chance(faults_.no_item_ids)) {
    event.erase("item_id");
  }
}

void Emitter::error(const ClientFault& fault, const std::string& client_event_id) {
  const auto or_null = [](const std::string& value) {
    return value.empty() ? OrderedJson(nullptr) : OrderedJson(value);
  };
  send("error", {{"error",
                  {{"type", "invalid_request_error"},
                   {"code", or_null(fault.code)},
                   {"message", fault.message},
                   {"param", or_null(fault.param)},
                   {"event_id", or_null(client_event_id)}}}});
}

void Emitter::audio_delta(const std::string& response_id, const std::string& item_id,
                          std::size_t output_index, std::string_view bytes) {
  if (!plain_) {
    std::string audio;
    encode_base64(bytes, audio);
    return send("response.output_audio.delta", {{"response_id", response_id},
                                                {"item_id", item_id},
                                                {"output_index", output_index},
                                                {"content_index", 0},
                                                {"delta", std::move(audio)}});
  }
  std::string event;
  event.reserve(300 + bytes.size() / 3 * 4);
  event += R"({"type":"response.output_audio.delta","event_id":")";
  event += ids_.make("event_");
  event.append(R"(","response_id":")").append(response_id);
  event.append(R"(","item_id":")").append(item_id);
  event.append(R"(","output_index":)").append(std::to_string(output_index));
  event += R"(,"content_index":0,"delta":")";
  encode_base64(bytes, event);
  event += "\"}";
  outgoing_.event(std::move(event));
}

}  // namespace verbatim::simulator
