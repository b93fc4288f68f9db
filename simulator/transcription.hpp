// The words of one spoken item, as they arrive: some while the user still speaks, the rest after
// the commit, often amid the answer. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "simulator/conversation.hpp"
#include "simulator/emitter.hpp"
#include "simulator/schedule.hpp"

namespace verbatim::simulator {

class Transcription {
 public:
  enum class Fate { whole, failed, empty, missing };
  struct Manner {
    std::string model;  ///< how it streams; empty: transcription is off and nothing is ever sent
    Fate fate = Fate::whole;
    std::string failure = "audio_unintelligible";
    bool growing = false;  ///< completed again and again while the user still speaks
    bool deltas = true;
    std::int64_t late_ms = 0;
  };

  Transcription(std::string item_id, Manner manner, const std::string& first_words,
                Emitter& emitter);

  const std::string& item_id() const { return item_id_; }

  /// The user has been speaking for so long: a word every 300 ms.
  void hear(std::int64_t spoken_ms);

  /// The item is committed. Without `speech`, nothing is understood.
  void commit(bool speech, std::int64_t length_ms, Pace pace, std::int64_t now_ms);

  /// Precondition of the following: committed.
  bool done() const { return next_ == steps_.size(); }
  Due due() const { return steps_[next_].due; }
  void step(Conversation& conversation);

 private:
  struct Step {
    Due due;
    std::string delta;  // empty: the last step
  };

  void send_delta(const std::string& text);
  void send_completed(const std::string& text, const Json& status);
  bool deltas() const;

  std::string item_id_;
  Manner manner_;
  Emitter& emitter_;
  std::string first_words_;
  std::vector<std::string> first_;  // pieces of the words that are known before the commit
  std::size_t sent_ = 0;            // of these
  std::string words_;
  std::int64_t length_ms_ = 0;
  std::vector<Step> steps_;
  std::size_t next_ = 0;
};

}  // namespace verbatim::simulator
