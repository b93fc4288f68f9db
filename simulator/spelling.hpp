// Translates OpenAI's events into those of another provider, one by one. One object for each
// connection; one thread.
#pragma once

#include <memory>
#include <vector>

#include "base/json/tree.hpp"

namespace verbatim::simulator {

class Ids;

class Spelling {
 public:
  virtual ~Spelling() = default;

  /// Adds zero or more events to `out`. `event` has type and event_id first.
  virtual void spell(OrderedJson event, std::vector<OrderedJson>& out) = 0;
};

std::unique_ptr<Spelling> xai_spelling(Ids& ids);
std::unique_ptr<Spelling> inworld_spelling(Ids& ids);
std::unique_ptr<Spelling> speech_to_speech_spelling(Ids& ids);
std::unique_ptr<Spelling> vllm_omni_spelling(Ids& ids);

}  // namespace verbatim::simulator
