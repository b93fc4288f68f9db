// A recording in a compressed format, encoded while it is sent (docs/recording.md). It has one
// piece of samples and of encoded audio in memory, and the state of the encoder.
//
// Made on any thread. The pieces are asked for one after the other, from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/relay/audio/encoder.hpp"
#include "server/relay/recordings.hpp"

namespace verbatim::relay {

class RecordingExport final : public std::enable_shared_from_this<RecordingExport> {
 public:
  /// Bytes of samples that are encoded at once. Their encoded form is never longer than a piece of
  /// an answer.
  static constexpr std::uint64_t samples_bytes = 32 * 1024;

  RecordingExport(Recordings& recordings, std::unique_ptr<Recordings::ExportPermit> permit,
                  RecordedAudio audio, audio::Format format);
  ~RecordingExport();

  struct Piece {
    std::string bytes;  ///< may be empty before the end
    bool last = false;
  };
  /// `done` is called on the thread that encodes. nullopt: it ends too early, which is logged.
  void next(std::function<void(std::optional<Piece>)> done);

 private:
  std::optional<Piece> encode();

  Recordings& recordings_;
  const std::unique_ptr<Recordings::ExportPermit> permit_;
  const RecordedAudio audio_;
  const audio::Format format_;
  std::unique_ptr<audio::Encoder> encoder_;  ///< made with the first piece
  std::uint64_t encoded_ = 0;                ///< frames
};

}  // namespace verbatim::relay
