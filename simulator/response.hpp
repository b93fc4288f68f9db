// One response, from response.created to response.done, in the provider's order and at its speed:
// audio is made about five times as fast as it plays, text runs a little ahead of it. Planned as a
// whole when it begins, carried out step by step, so that it can be cancelled anywhere. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "simulator/audio_format.hpp"
#include "simulator/conversation.hpp"
#include "simulator/emitter.hpp"
#include "simulator/random.hpp"
#include "simulator/schedule.hpp"
#include "simulator/voice.hpp"

namespace verbatim::simulator {

struct ResponsePlan {
  Json conversation_id;  ///< null: out of band, its items join no conversation
  Json modalities = Json::array({"audio"});
  Json audio_output;  ///< format and voice
  Json max_output_tokens = "inf";
  Json metadata;
  std::string words;
  std::string call_name;  ///< not empty: a function call with `words` as its arguments
  std::size_t input_text_tokens = 0;
  std::size_t input_audio_tokens = 0;
};

class Response {
 public:
  /// Sends response.created.
  Response(ResponsePlan plan, Emitter& emitter, Conversation& conversation, Random random,
           Pace pace, std::int64_t now_ms);

  const std::string& id() const { return id_; }
  bool in_conversation() const { return !plan_.conversation_id.is_null(); }
  bool spoken() const { return spoken_; }
  bool done() const { return done_; }

  /// Precondition of these: not done().
  Due due() const;
  void step();
  /// With `reason` turn_detected or client_cancelled. All done events are sent.
  void cancel(const std::string& reason);

 private:
  struct Step {
    enum class Kind { open, text, audio, finish } kind = Kind::open;
    std::int64_t offset_ms = 0;
    std::string text;
    std::int64_t audio_ms = 0;
  };

  void plan_text(const std::vector<std::string>& said);
  void plan_audio(Random random, std::int64_t length_ms);

  void open();
  void say(const std::string& text);
  void sing(std::int64_t ms);
  void finish(const std::string& status, const Json& details);
  void close_parts();

  bool call() const { return !plan_.call_name.empty(); }
  Json place() const;  ///< the ids that every delta and done of the part carries
  Json item(const std::string& status) const;
  Json json(const std::string& status, const Json& details) const;
  Json usage() const;

  ResponsePlan plan_;
  Emitter& emitter_;
  Conversation& conversation_;
  Pace pace_;
  std::int64_t start_ms_;
  std::string id_;
  std::string item_id_;
  std::string call_id_;
  Voice voice_;
  AudioFormat format_;
  bool spoken_;
  std::vector<Step> steps_;
  std::size_t next_ = 0;

  bool opened_ = false;
  bool done_ = false;
  bool cut_short_ = false;  // by max_output_tokens
  Json previous_;           // of the item, when it was added
  bool second_ = false;
  std::string said_;
  std::size_t said_pieces_ = 0;
  std::int64_t sung_ms_ = 0;
};

}  // namespace verbatim::simulator
