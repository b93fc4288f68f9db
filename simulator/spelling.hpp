// A simulated provider's own words for what happens: event by event in OpenAI's shape, out comes
// what that provider sends in its place. One object for each connection; one thread.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

namespace verbatim::simulator {

class Ids;

class Spelling {
 public:
  using Json = nlohmann::ordered_json;  // readers of the wire expect `type` in front

  virtual ~Spelling() = default;

  /// Adds to `out`: nothing, one event or several. `event` has type and event_id in front.
  virtual void spell(Json event, std::vector<Json>& out) = 0;
};

std::unique_ptr<Spelling> xai_spelling(Ids& ids);
std::unique_ptr<Spelling> inworld_spelling(Ids& ids);
std::unique_ptr<Spelling> speech_to_speech_spelling(Ids& ids);
std::unique_ptr<Spelling> vllm_omni_spelling(Ids& ids);

}  // namespace verbatim::simulator
