// The call of the API that gives the recorded audio of an attempt, as a file that is computed while
// it is sent. WAV is sent in any range of its bytes, FLAC and Opus as a whole.
#include <algorithm>

#include "config/settings.hpp"
#include "server/api/answer_limits.hpp"
#include "server/api/handler.hpp"
#include "server/api/handlers/recorded_attempt.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/net/answer_memory.hpp"
#include "server/net/body_source.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/recording_export.hpp"
#include "server/relay/recordings.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

constexpr const char* call_name = "GET /v1/sessions/{id}/recording";

/// A range of the WAV file.
class RecordingStream final : public net::BodySource {
 public:
  RecordingStream(const ApiServices& api, relay::RecordedAudio recorded, requests::ByteRange range,
                  net::AnswerMemory::Owner owner, const net::Executor& executor)
      : recordings_(*api.recordings),
        recorded_(std::move(recorded)),
        range_(range),
        memory_(api.answers, std::move(owner)),
        patience_(api.settings.get()->server.request_timeout),
        executor_(executor) {}

  net::Awaitable<std::string> next() override {
    if (abandoned_ || sent_ == range_.count) co_return std::string();
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(net::BodySource::piece_bytes, range_.count - sent_));
    broken_ = !memory_.resize(count);
    if (broken_) co_return std::string();
    const auto start = [this, count](auto done) {
      recordings_.read(recorded_, range_.first + sent_, count, done);
    };
    auto piece = co_await net::from_callback<std::optional<std::string>>(executor_, start);
    broken_ = !piece || piece->size() != count;
    sent_ += count;
    co_return broken_ ? std::string() : *std::move(piece);
  }
  bool broken() const override { return broken_; }
  net::Clock::duration patience() const override { return patience_; }
  void abandon(bool) override { abandoned_ = true; }

 private:
  relay::Recordings& recordings_;
  const relay::RecordedAudio recorded_;
  const requests::ByteRange range_;
  net::AnswerMemory::Share memory_;
  net::Clock::duration patience_;
  net::Executor executor_;
  std::uint64_t sent_ = 0;
  bool broken_ = false;
  bool abandoned_ = false;
};

/// The whole file in a compressed format.
class EncodedRecordingStream final : public net::BodySource {
 public:
  EncodedRecordingStream(const ApiServices& api, std::shared_ptr<relay::RecordingExport> encoded,
                         net::AnswerMemory::Owner owner, const net::Executor& executor)
      : encoded_(std::move(encoded)),
        memory_(api.answers, std::move(owner)),
        patience_(api.settings.get()->server.request_timeout),
        executor_(executor) {}

  net::Awaitable<std::string> next() override {
    using Piece = relay::RecordingExport::Piece;
    std::string bytes;
    const auto start = [this](auto done) { encoded_->next(done); };
    while (bytes.empty() && !last_ && !broken()) {
      auto piece = co_await net::from_callback<std::optional<Piece>>(executor_, start);
      broken_ = !piece || !memory_.resize(piece->bytes.size());
      if (broken_) break;
      bytes = std::move(piece->bytes);
      last_ = piece->last;
    }
    co_return bytes;
  }
  /// A peer that says nothing more may still read: it must not take a part for the whole.
  bool broken() const override { return broken_ || abandoned_; }
  net::Clock::duration patience() const override { return patience_; }
  void abandon(bool) override { abandoned_ = true; }

 private:
  const std::shared_ptr<relay::RecordingExport> encoded_;
  net::AnswerMemory::Share memory_;
  net::Clock::duration patience_;
  net::Executor executor_;
  bool last_ = false;  ///< all is encoded
  bool broken_ = false;
  bool abandoned_ = false;
};

/// The item of a turn of the attempt.
net::Awaitable<net::Result<std::string>> item_of_turn(const ApiServices& api,
                                                      const RequestContext& context, int attempt,
                                                      int ordinal) {
  using Found = std::optional<store::TranscriptViews>;
  const auto find = [ordinal](const Found& views) -> std::optional<std::string> {
    if (!views || views->empty()) return std::nullopt;
    for (const auto& turn : views->front().turns)
      if (turn.ordinal == ordinal) return turn.item_id;
    return std::nullopt;
  };
  const auto call = [&](auto done) {
    api.sessions.read_transcripts({context.id, attempt}, {call_name, context.share()},
                                  compute_then<Found>(find, done));
  };
  auto item = co_await ask_store<std::optional<std::string>>(api, context, call);
  if (!item) co_return net::Refusal(std::move(item).error());
  if (!*item) co_return net::Refusal(no_recording("The attempt has no such turn."));
  co_return net::Result<std::string>(tl::in_place, **std::move(item));
}

std::string tag_of_file(const RequestContext& context, int attempt,
                        const requests::RecordingQuery& query, const relay::AudioTimeline& timeline,
                        bool lossy) {
  return tag_of(
      context.id + '\n' + std::to_string(attempt) + '\n' + std::to_string(query.turn.value_or(0)) +
      '\n' + std::to_string(query.track ? static_cast<int>(*query.track) : -1) + '\n' +
      std::to_string(query.unheard) + '\n' + std::to_string(static_cast<int>(query.format)) + '\n' +
      std::to_string(timeline.starts_at_ms()) + '\n' + std::to_string(timeline.bytes()) +
      (lossy ? "\nlossy" : ""));
}

net::HttpResponse no_such_range(std::uint64_t size) {
  net::HttpResponse response =
      net::problem(416, "range not satisfiable",
                   "The file has " + std::to_string(size) + " bytes: the range begins after them.");
  response.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
  return response;
}

/// The answer without its body.
net::HttpResponse head_of_file(const relay::RecordedAudio& recorded, const std::string& tag,
                               const char* type, const char* suffix) {
  net::HttpResponse response;
  response.content_type = type;
  response.headers.emplace_back("Cache-Control", "private, no-cache");
  response.headers.emplace_back("ETag", tag);
  response.headers.emplace_back("Verbatim-Starts-At-Ms",
                                std::to_string(recorded.timeline->starts_at_ms()));
  response.headers.emplace_back("Content-Disposition", "inline; filename=\"" + recorded.session_id +
                                                           "." + std::to_string(recorded.attempt) +
                                                           "." + suffix + "\"");
  return response;
}

net::HttpResponse wav_response(const ApiServices& api, const RequestContext& context,
                               relay::RecordedAudio recorded, const std::string& tag) {
  const std::uint64_t size = recorded.timeline->bytes();
  const std::string_view if_range = context.request.header("If-Range");
  const bool same = if_range.empty() || if_range == tag;
  const auto range =
      requests::read_range(same ? context.request.header("Range") : std::string_view(), size);
  if (!range) return no_such_range(size);
  net::HttpResponse response = head_of_file(recorded, tag, "audio/wav", "wav");
  response.status = range->partial ? 206 : 200;
  response.headers.emplace_back("Accept-Ranges", "bytes");
  if (range->partial)
    response.headers.emplace_back("Content-Range",
                                  "bytes " + std::to_string(range->first) + "-" +
                                      std::to_string(range->first + range->count - 1) + "/" +
                                      std::to_string(size));
  response.source_bytes = range->count;
  response.source = std::make_shared<RecordingStream>(api, std::move(recorded), *range,
                                                      owner_of(context), context.executor());
  return response;
}

/// A range is not served: where its bytes begin in the audio is known only when they are encoded.
net::HttpResponse encoded_response(const ApiServices& api, const RequestContext& context,
                                   relay::RecordedAudio recorded, const std::string& tag,
                                   audio::Format format) {
  auto permit = api.recordings->permit_export();
  if (!permit) return too_many_exports();
  const bool flac = format == audio::Format::flac;
  net::HttpResponse response = head_of_file(
      recorded, tag, flac ? "audio/flac" : "audio/ogg; codecs=opus", flac ? "flac" : "opus");
  response.source = std::make_shared<EncodedRecordingStream>(
      api,
      std::make_shared<relay::RecordingExport>(*api.recordings, std::move(permit),
                                               std::move(recorded), format),
      owner_of(context), context.executor());
  return response;
}

net::HttpResponse file_response(const ApiServices& api, const RequestContext& context,
                                relay::RecordedAudio recorded, const std::string& tag,
                                requests::RecordingFormat format) {
  switch (format) {
    case requests::RecordingFormat::flac:
      return encoded_response(api, context, std::move(recorded), tag, audio::Format::flac);
    case requests::RecordingFormat::opus:
      return encoded_response(api, context, std::move(recorded), tag, audio::Format::opus);
    case requests::RecordingFormat::wav:
      break;
  }
  return wav_response(api, context, std::move(recorded), tag);
}

}  // namespace

net::Awaitable<net::HttpResponse> show_recording(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_recording_query(context.request);
  if (!asked) co_return std::move(asked).error();
  auto found = co_await find_recorded_attempt(api, context, asked->attempt, call_name);
  if (!found) co_return std::move(found).error();
  relay::AudioExport wanted{asked->track, asked->unheard, std::nullopt};
  if (asked->turn) {
    auto item = co_await item_of_turn(api, context, found->number, *asked->turn);
    if (!item) co_return std::move(item).error();
    wanted.item_id = *std::move(item);
  }
  auto recorded = co_await find_audio(api, context, *found, std::move(wanted));
  if (!recorded) co_return std::move(recorded).error();
  const std::string tag =
      tag_of_file(context, found->number, *asked, *recorded->timeline, recorded->lossy);
  co_return tagged(context.request, tag, [&] {
    return file_response(api, context, *std::move(recorded), tag, asked->format);
  });
}

}  // namespace verbatim::api::handlers
