// Measures how long a client waits for the first audio of each answer: from the end of the user's
// speech, or from a response.create, until the audio is sent. One thread; times are monotonic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "session/transcript/event.hpp"

namespace verbatim::session {

class FirstAudioTimer {
 public:
  /// The user's speech has ended, or the client asked for a response.
  void asked(std::int64_t at_us) { asked_us_ = at_us; }

  /// An event of the provider, other than audio.
  void see(const transcript::Event& event, std::int64_t at_us) {
    if (std::holds_alternative<transcript::SpeechStopped>(event.body)) {
      asked(at_us);
    } else if (const auto* begun = std::get_if<transcript::ResponseStarted>(&event.body)) {
      const std::int64_t since = std::exchange(asked_us_, 0);
      answer_.reset();
      if (since != 0 && !begun->out_of_band) answer_ = Answer{begun->response_id, since, 0};
    }
  }

  /// Whether an answer has begun whose first audio has not been sent. The calls below are needed
  /// only then.
  bool awaits() const { return answer_.has_value(); }

  /// Audio of the provider that goes to a client who is there. True: it is the awaited one.
  bool audio(const transcript::AudioDelta& audio, std::int64_t received_us) {
    if (answer_->received_us != 0 ||
        (!audio.response_id.empty() && audio.response_id != answer_->response_id))
      return false;
    answer_->received_us = received_us;
    return true;
  }

  /// The client was sent an audio message, received at `received_us`. Returns the wait in
  /// microseconds if the message was the awaited one.
  std::optional<std::int64_t> sent(std::int64_t received_us, std::int64_t sent_us) {
    if (answer_->received_us == 0 || answer_->received_us != received_us) return std::nullopt;
    const std::int64_t wait_us = sent_us - answer_->since_us;
    measured_.push_back({std::move(answer_->response_id), wait_us / 1000});
    answer_.reset();
    return wait_us;
  }

  /// The waits since the last call.
  std::vector<transcript::FirstAudio> take_measured() { return std::exchange(measured_, {}); }

 private:
  struct Answer {
    std::string response_id;
    std::int64_t since_us = 0;
    std::int64_t received_us = 0;  ///< of its first audio; 0: none came yet
  };

  std::int64_t asked_us_ = 0;  ///< 0: no answer is due
  std::optional<Answer> answer_;
  std::vector<transcript::FirstAudio> measured_;
};

}  // namespace verbatim::session
