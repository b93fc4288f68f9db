// The call of the API that gives the recorded audio of an attempt, as a WAV file that is computed
// while it is sent.
#include <algorithm>

#include "config/settings.hpp"
#include "server/api/answer_limits.hpp"
#include "server/api/handler.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/net/answer_memory.hpp"
#include "server/net/body_source.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/recordings.hpp"
#include "storage/store/recording_store.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

constexpr const char* call_name = "GET /v1/sessions/{id}/recording";

net::HttpResponse no_recording(const std::string& why) {
  return net::problem(404, "not recorded", why);
}

/// A range of the file.
class RecordingStream final : public net::BodySource {
 public:
  struct What {
    std::shared_ptr<const relay::AudioTimeline> timeline;
    std::string session_id;
    int attempt = 1;
    requests::ByteRange range;
  };
  RecordingStream(const ApiServices& api, What what, net::AnswerMemory::Owner owner,
                  const net::Executor& executor)
      : recordings_(*api.recordings),
        what_(std::move(what)),
        memory_(api.answers, std::move(owner)),
        patience_(api.settings.get()->server.request_timeout),
        executor_(executor) {}

  net::Awaitable<std::string> next() override {
    std::string piece;
    if (abandoned_ || sent_ == what_.range.count) co_return piece;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(net::BodySource::piece_bytes, what_.range.count - sent_));
    broken_ = !memory_.resize(count);
    if (broken_) co_return piece;
    const auto start = [this, count](auto done) {
      recordings_.read(what_.timeline, what_.session_id, what_.attempt, what_.range.first + sent_,
                       count, done);
    };
    piece = co_await net::from_callback<std::string>(executor_, start);
    broken_ = piece.size() != count;
    sent_ += piece.size();
    co_return piece;
  }
  bool broken() const override { return broken_; }
  net::Clock::duration patience() const override { return patience_; }
  void abandon(bool) override { abandoned_ = true; }

 private:
  relay::Recordings& recordings_;
  const What what_;
  net::AnswerMemory::Share memory_;
  net::Clock::duration patience_;
  net::Executor executor_;
  std::uint64_t sent_ = 0;
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
                        const requests::RecordingQuery& query,
                        const relay::AudioTimeline& timeline) {
  return tag_of(context.id + '\n' + std::to_string(attempt) + '\n' +
                std::to_string(query.turn.value_or(0)) + '\n' +
                std::to_string(query.track ? static_cast<int>(*query.track) : -1) + '\n' +
                std::to_string(query.unheard) + '\n' + std::to_string(timeline.starts_at_ms()) +
                '\n' + std::to_string(timeline.bytes()));
}

net::HttpResponse no_such_range(std::uint64_t size) {
  net::HttpResponse response =
      net::problem(416, "range not satisfiable",
                   "The file has " + std::to_string(size) + " bytes: the range begins after them.");
  response.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
  return response;
}

net::HttpResponse file_response(const ApiServices& api, const RequestContext& context,
                                RecordingStream::What what, const std::string& tag) {
  const std::uint64_t size = what.timeline->bytes();
  const std::string_view if_range = context.request.header("If-Range");
  const bool same = if_range.empty() || if_range == tag;
  const auto range =
      requests::read_range(same ? context.request.header("Range") : std::string_view(), size);
  if (!range) return no_such_range(size);
  what.range = *range;
  net::HttpResponse response;
  response.status = range->partial ? 206 : 200;
  response.content_type = "audio/wav";
  response.headers.emplace_back("Accept-Ranges", "bytes");
  response.headers.emplace_back("Cache-Control", "private, no-cache");
  response.headers.emplace_back("ETag", tag);
  response.headers.emplace_back("Verbatim-Starts-At-Ms",
                                std::to_string(what.timeline->starts_at_ms()));
  response.headers.emplace_back(
      "Content-Disposition",
      "inline; filename=\"" + what.session_id + "." + std::to_string(what.attempt) + ".wav\"");
  if (range->partial)
    response.headers.emplace_back("Content-Range",
                                  "bytes " + std::to_string(range->first) + "-" +
                                      std::to_string(range->first + range->count - 1) + "/" +
                                      std::to_string(size));
  response.source_bytes = range->count;
  response.source = std::make_shared<RecordingStream>(api, std::move(what), owner_of(context),
                                                      context.executor());
  return response;
}

}  // namespace

net::Awaitable<net::HttpResponse> show_recording(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_recording_query(context.request);
  if (!asked) co_return std::move(asked).error();
  const auto call = [&](auto done) {
    api.recorded.read_recording(context.id, asked->attempt, {call_name, context.share()}, done);
  };
  auto found = co_await find_in_store<store::RecordedAttempt>(api, context, call);
  if (!found) co_return std::move(found).error();
  const int attempt = found->number;
  const std::string named = "attempt " + std::to_string(attempt) + " of this session";
  if (found->runs.empty() || api.recordings == nullptr)
    co_return no_recording("Nothing was recorded of " + named + ".");
  if (found->status != transcript::SessionStatus::final)
    co_return net::problem(
        409, "recording not finished",
        "The recording of " + named + " is not complete. Read it when the attempt is final.");
  relay::AudioExport wanted{asked->track, asked->unheard, std::nullopt};
  if (asked->turn) {
    auto item = co_await item_of_turn(api, context, attempt, *asked->turn);
    if (!item) co_return std::move(item).error();
    wanted.item_id = *std::move(item);
  }
  const auto measure = [&](auto done) { api.recordings->measure(context.id, attempt, done); };
  const auto sizes = co_await net::from_callback<relay::TrackSizes>(context.executor(), measure);
  if (sizes.user + sizes.assistant == 0)
    co_return no_recording("The recording of " + named +
                           " is not here any more: recording.retention or an operator removed it.");
  auto timeline = relay::AudioTimeline::of(found->runs, sizes, wanted);
  if (!timeline) co_return no_recording("No audio of this turn was recorded.");
  const std::string tag = tag_of_file(context, attempt, *asked, *timeline);
  RecordingStream::What what{
      std::make_shared<const relay::AudioTimeline>(*std::move(timeline)), context.id, attempt, {}};
  co_return tagged(context.request, tag,
                   [&] { return file_response(api, context, std::move(what), tag); });
}

}  // namespace verbatim::api::handlers
