// Records one session's audio: decodes it, gives it to the files, and says where it stands.
//
// Part of a RealtimeSession, on its thread. A file that fails ends the recording, never the
// conversation.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.hpp"
#include "session/audio_placement.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::session {

/// The files of a recording, one for each track. server/relay/recordings.hpp has the real ones.
class AudioSink {
 public:
  virtual ~AudioSink() = default;
  /// Bytes that a track had when this was opened: an earlier process may have begun it.
  virtual std::int64_t begins_at(transcript::AudioTrack track) const = 0;
  /// False: it failed, and takes nothing more. It reports that itself.
  virtual bool append(transcript::AudioTrack track, std::string_view bytes) = 0;
};

class SessionRecorder {
 public:
  using Runs = AudioPlacement::Runs;

  /// `attempt_began_ms`: on the monotonic clock.
  SessionRecorder(std::shared_ptr<AudioSink> sink, std::int64_t attempt_began_ms);

  /// How the provider's audio goes to the client.
  struct Way {
    std::int64_t received_us = 0;
    bool attached = false;  ///< the client is there
  };
  Runs client_audio(std::string_view base64, const transcript::AudioFormat& format, Moment now);
  Runs answer_audio(const transcript::AudioDelta& audio, std::string_view base64,
                    const transcript::AudioFormat& format, const Way& way, Moment now);
  bool awaits_sending() const { return placement_.awaits_sending(); }
  Runs sent(std::int64_t received_us, Moment now);
  /// An event that was recorded.
  Runs see(const transcript::Event& event);
  void client_gone() { placement_.break_answer(); }
  /// The client has returned without the messages that it had missed.
  Runs skip_unsent() { return placement_.skip_unsent(); }
  Runs finish() { return placement_.finish(); }

 private:
  /// Bytes that were written; 0: none, and `changed` says why if the file failed.
  std::int64_t write(transcript::AudioTrack track, std::string_view base64, Moment now,
                     Runs& changed);
  std::int64_t since_began(Moment now) const;

  std::shared_ptr<AudioSink> sink_;  ///< null: it has failed
  std::int64_t began_ms_ = 0;
  AudioPlacement placement_;
  bool upstream_opened_ = false;
};

}  // namespace verbatim::session
