// One response, from response.created to response.done, in the provider's order and at its speed.
// Audio is generated about five times as fast as it plays, and text is a little ahead of it. The
// whole response is planned at its start and executed in steps, so it can be cancelled anywhere.
// One thread.
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
  OrderedJson conversation_id;  ///< null: out of band; its items join no conversation
  OrderedJson modalities = OrderedJson::array({"audio"});
  OrderedJson audio_output;  ///< format and voice
  OrderedJson max_output_tokens = "inf";
  OrderedJson metadata;
  std::string words_first;  ///< not empty: a separate message before the rest
  std::string words;
  std::string call_name;  ///< not empty: a function call with `words` as its arguments
  std::string failure;    ///< not empty: fails at once with this code
  bool announced = true;  ///< false: without response.created
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
  bool spoken() const;
  bool done() const { return done_; }

  /// Precondition of these: not done().
  Due due() const;
  void step();
  /// Cancels with `reason` turn_detected or client_cancelled, and sends all done events.
  void cancel(const std::string& reason);

 private:
  struct Step {
    enum class Kind { open, text, audio, close, finish } kind = Kind::open;
    std::int64_t offset_ms = 0;
    std::string text;
    std::int64_t audio_ms = 0;
  };

  /// One item of the response.
  struct Output {
    std::string item_id;
    std::string call_id;  ///< empty: a message
    std::string words;
    bool spoken = false;
    OrderedJson previous;  ///< the item's predecessor when it was added
    bool second = false;   ///< it is the second item of the conversation
    std::string status;    ///< empty (not begun), in_progress, completed or incomplete
    std::string said;
    std::int64_t sung_ms = 0;
    Voice voice{{}};
    bool call() const { return !call_id.empty(); }
  };

  void add_output(const std::string& words, bool call);
  void plan_output(Output& output, Random& random);
  void plan_audio(Random& random, std::int64_t from_ms, std::int64_t length_ms);

  Output& current() { return outputs_[current_]; }
  void open();
  void say(const std::string& text);
  void sing(std::int64_t ms);
  void close(const std::string& status);
  void close_part(const Output& output);
  void finish(const std::string& status, const OrderedJson& details);

  OrderedJson place(
      const Output& output) const;  ///< the ids in the delta and done events of its part
  OrderedJson item(const Output& output) const;
  OrderedJson json(const std::string& status, const OrderedJson& details) const;
  OrderedJson usage() const;

  ResponsePlan plan_;
  Emitter& emitter_;
  Conversation& conversation_;
  Pace pace_;
  std::int64_t start_ms_;
  std::string id_;
  AudioFormat format_;
  std::vector<Output> outputs_;
  std::size_t current_ = 0;
  std::vector<Step> steps_;
  std::size_t next_ = 0;

  bool done_ = false;
  bool cut_short_ = false;       // by max_output_tokens
  std::size_t tokens_left_ = 0;  // tokens left while planning
  std::int64_t planned_ms_ = 0;  // end of the planned steps
  std::size_t said_pieces_ = 0;
  std::int64_t sung_ms_ = 0;
};

}  // namespace verbatim::simulator
