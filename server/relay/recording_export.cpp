#include "server/relay/recording_export.hpp"

#include <algorithm>
#include <utility>

namespace verbatim::relay {

RecordingExport::RecordingExport(Recordings& recordings,
                                 std::unique_ptr<Recordings::ExportPermit> permit,
                                 RecordedAudio audio, audio::Format format)
    : recordings_(recordings),
      permit_(std::move(permit)),
      audio_(std::move(audio)),
      format_(format) {}

RecordingExport::~RecordingExport() = default;

void RecordingExport::next(std::function<void(std::optional<Piece>)> done) {
  recordings_.encode([self = shared_from_this(), done = std::move(done)] { done(self->encode()); });
}

std::optional<RecordingExport::Piece> RecordingExport::encode() {
  const AudioTimeline& timeline = *audio_.timeline;
  if (!encoder_)
    encoder_ =
        audio::make_encoder(format_, {timeline.rate(), timeline.channels(), timeline.frames()});
  const char* const failed = "the audio cannot be encoded";
  Piece piece;
  if (!encoder_) {
    recordings_.export_failed(audio_, failed);
    return std::nullopt;
  }
  const auto samples =
      recordings_.samples(audio_, encoded_, samples_bytes / timeline.frame_bytes());
  if (!samples) return std::nullopt;
  encoded_ += samples->size() / timeline.frame_bytes();
  piece.last = encoded_ == timeline.frames();
  bool good = encoder_->encode(*samples, piece.bytes);
  if (good && piece.last) good = encoder_->finish(piece.bytes);
  if (good) return piece;
  recordings_.export_failed(audio_, failed);
  return std::nullopt;
}

}  // namespace verbatim::relay
