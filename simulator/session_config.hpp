// The session object: what the provider shows in session.created, and how session.update changes
// it. One thread.
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

  /// Merges `wanted`, the `session` of a session.update: absent stays, null clears. A fault changes
  /// nothing.
  std::optional<ClientFault> update(const Json& wanted, bool model_has_spoken);

  /// The whole session, as session.updated shows it.
  const Json& json() const { return json_; }

  /// nullopt: turns are the client's business.
  std::optional<Hearing> turn_detection() const;
  bool creates_response() const { return detection_flag("create_response"); }
  bool interrupts_response() const { return detection_flag("interrupt_response"); }

  /// The transcription model; empty: off.
  std::string transcription_model() const;
  AudioFormat input_format() const { return input_format_; }

 private:
  bool detection_flag(const char* name) const;

  const Profile& profile_;
  Json json_;
  AudioFormat input_format_ = AudioFormat::pcm16;  // read for every append
};

/// The `audio.output` of a session or of a response, read. Precondition: it has been checked.
AudioFormat output_format_of(const Json& audio_output);

/// What may stand in a `response` or `session` under these names; nullopt if it is fine.
std::optional<ClientFault> check_modalities(const Json& value, const std::string& param);
std::optional<ClientFault> check_audio_output(const Json& value, const std::string& param,
                                              const Profile& profile);

}  // namespace verbatim::simulator
