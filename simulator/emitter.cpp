#include "simulator/emitter.hpp"

#include <utility>

#include "session/base64.hpp"

namespace verbatim::simulator {

ClientFault missing_parameter(const std::string& param) {
  return {"missing_required_parameter", "Missing required parameter: '" + param + "'.", param};
}

void Emitter::send(std::string_view type, const Json& fields) {
  Json event = {{"type", type}, {"event_id", ids_.make("event_")}};
  event.update(fields.is_null() ? Json::object() : fields);
  outgoing_.event(event.dump());
}

void Emitter::error(const ClientFault& fault, const std::string& client_event_id) {
  const auto or_null = [](const std::string& value) {
    return value.empty() ? Json(nullptr) : Json(value);
  };
  send("error", {{"error",
                  {{"type", "invalid_request_error"},
                   {"code", or_null(fault.code)},
                   {"message", fault.message},
                   {"param", or_null(fault.param)},
                   {"event_id", or_null(client_event_id)}}}});
}

void Emitter::audio_delta(const std::string& response_id, const std::string& item_id,
                          std::string_view bytes) {
  std::string event;
  event.reserve(300 + bytes.size() / 3 * 4);
  event += R"({"type":"response.output_audio.delta","event_id":")";
  event += ids_.make("event_");
  event.append(R"(","response_id":")").append(response_id);
  event.append(R"(","item_id":")").append(item_id);
  event += R"(","output_index":0,"content_index":0,"delta":")";
  session::encode_base64(bytes, event);
  event += "\"}";
  outgoing_.event(std::move(event));
}

}  // namespace verbatim::simulator
