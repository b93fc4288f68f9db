// The session object: its content in session.created, and the changes of session.update. One
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "simulator/audio_format.hpp"
#include "simulator/emitter.hpp"
#include "simulator/speech_detector.hpp"

namespace verbatim::simulator {

class SessionConfig {
 public:
  SessionConfig(const std::string& model, const std::string& session_id, std::int64_t expires_at_s,
                const Profile& profile);

  /// Merges `wanted`, the `session` of a session.update: absent members stay, null clears. On an
  /// error, returns it and changes nothing.
  std::optional<ClientFault> update(const OrderedJson& wanted, bool model_has_spoken);

  /// The whole session, as in session.updated.
  const OrderedJson& json() const { return json_; }

  /// nullopt: turn detection is off; the client commits.
  std::optional<Hearing> turn_detection() const;
  bool creates_response() const { return detection_flag("create_response"); }
  bool interrupts_response() const { return detection_flag("interrupt_response"); }

  /// The transcription model; empty: off.
  std::string transcription_model() const;
  AudioFormat input_format() const { return input_format_; }

 private:
  void take_input(const OrderedJson& input);
  bool detection_flag(const char* name) const;

  const Profile& profile_;
  OrderedJson json_;
  AudioFormat input_format_ = AudioFormat::pcm16;  // cached for every append
};

/// The format in the `audio.output` of a session or a response. Precondition: it has been checked.
AudioFormat output_format_of(const OrderedJson& audio_output);

/// Checks these members of a `response` or `session`; nullopt if they are valid.
std::optional<ClientFault> check_modalities(const OrderedJson& value, const std::string& param);
std::optional<ClientFault> check_audio_output(const OrderedJson& value, const std::string& param,
                                              const Profile& profile);

}  // namespace verbatim::simulator
