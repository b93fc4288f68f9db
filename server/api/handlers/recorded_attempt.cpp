#include "server/api/handlers/recorded_attempt.hpp"

#include <memory>
#include <utility>

#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/net/from_callback.hpp"

namespace verbatim::api::handlers {

namespace {

std::string name_of(int attempt) {
  return "attempt " + std::to_string(attempt) + " of this session";
}

net::HttpResponse nothing_recorded(int attempt) {
  return no_recording("Nothing was recorded of " + name_of(attempt) + ".");
}

}  // namespace

net::HttpResponse no_recording(const std::string& why) {
  return net::problem(404, "not recorded", why);
}

net::HttpResponse too_many_exports() {
  return retry_later(net::problem(503, "too many recording exports",
                                  "As many recordings are being encoded, or their peaks "
                                  "computed, as recording.exports_max allows. Try again later. "
                                  "WAV has no such limit."));
}

net::Awaitable<net::Result<store::RecordedAttempt>> find_recorded_attempt(
    const ApiServices& api, const RequestContext& context, std::optional<int> attempt,
    const char* call_name) {
  const auto call = [&](auto done) {
    api.recorded.read_recording(context.id, attempt, {call_name, context.share()}, done);
  };
  auto found = co_await find_in_store<store::RecordedAttempt>(api, context, call);
  if (!found) co_return found;
  const std::string named = name_of(found->number);
  const bool is_final = found->status == transcript::SessionStatus::final;
  // A kill may have taken the index of audio that is there.
  if (api.recordings == nullptr || (found->runs.empty() && !is_final))
    co_return net::Refusal(nothing_recorded(found->number));
  if (!is_final)
    co_return net::Refusal(net::problem(
        409, "recording not finished",
        "The recording of " + named + " is not complete. Read it when the attempt is final."));
  co_return found;
}

net::Awaitable<net::Result<relay::RecordedAudio>> find_audio(const ApiServices& api,
                                                             const RequestContext& context,
                                                             const store::RecordedAttempt& attempt,
                                                             relay::AudioExport wanted) {
  const auto measure = [&](auto done) {
    api.recordings->measure(context.id, attempt.number, done);
  };
  using Measured = relay::Recordings::Measured;
  const auto measured = co_await net::from_callback<Measured>(context.executor(), measure);
  if (!measured) co_return net::Refusal(unreadable_recording(measured.error()));
  const relay::TrackSizes& sizes = measured->sizes;
  if (sizes.user + sizes.assistant == 0 && attempt.runs.empty())
    co_return net::Refusal(nothing_recorded(attempt.number));
  if (sizes.user + sizes.assistant == 0)
    co_return net::Refusal(
        no_recording("The recording of " + name_of(attempt.number) +
                     " is not here any more: recording.retention, recording.delete_when or an "
                     "operator removed it."));
  auto timeline = relay::AudioTimeline::of(attempt.runs, sizes, wanted);
  if (!timeline) co_return net::Refusal(no_recording("No audio of this turn was recorded."));
  co_return relay::RecordedAudio{std::make_shared<const relay::AudioTimeline>(*std::move(timeline)),
                                 context.id, attempt.number, measured->lossy};
}

}  // namespace verbatim::api::handlers
