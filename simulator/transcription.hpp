// The transcription of one spoken item. Some words arrive while the user still speaks, the rest
// after the commit, often during the answer. One thread.
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
    std::string model;  ///< decides how it streams; empty: transcription is off, nothing is sent
    Fate fate = Fate::whole;
    std::string failure = "audio_unintelligible";
    bool growing = false;  ///< send `completed` repeatedly while the user speaks
    bool deltas = true;
    std::int64_t late_ms = 0;
  };

  Transcription(std::string item_id, Manner manner, const std::string& first_words,
                Emitter& emitter);

  const std::string& item_id() const { return item_id_; }

  /// Reports how long the user has been speaking; adds a word every 300 ms.
  void hear(std::int64_t spoken_ms);

  /// Commits the item. Without `speech`, the transcription is empty.
  void commit(bool speech, std::int64_t length_ms, Pace pace, std::int64_t now_ms);

  /// Precondition of the following functions: the item is committed.
  bool done() const { return next_ == steps_.size(); }
  Due due() const { return steps_[next_].due; }
  void step(Conversation& conversation);

 private:
  struct Step {
    Due due;
    std::string delta;  // empty in the last step
  };

  void send_delta(const std::string& text);
  void send_completed(const std::string& text, const OrderedJson& status);
  bool deltas() const;

  std::string item_id_;
  Manner manner_;
  Emitter& emitter_;
  std::string first_words_;
  std::vector<std::string> first_;  // pieces of the text known before the commit
  std::size_t sent_ = 0;            // number of these already sent
  std::string words_;
  std::int64_t length_ms_ = 0;
  std::vector<Step> steps_;
  std::size_t next_ = 0;
};

}  // namespace verbatim::simulator
