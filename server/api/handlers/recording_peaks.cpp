// The call of the API that gives the loudness of a recording over time, for drawings of it.
#include "server/relay/recording_peaks.hpp"
#include "server/api/handler.hpp"
#include "server/api/handlers/recorded_attempt.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/net/from_callback.hpp"

namespace verbatim::api::handlers {

namespace {

using relay::RecordingPeaks;

/// The JSON text: kept by an earlier call, or computed.
net::Awaitable<net::Result<std::string>> text_of(const ApiServices& api,
                                                 const RequestContext& context,
                                                 RecordingPeaks& peaks) {
  const auto read = [&](auto done) { peaks.read_kept(done); };
  auto kept = co_await net::from_callback<std::optional<std::string>>(context.executor(), read);
  if (kept) co_return *std::move(kept);
  const auto permit = api.recordings->permit_export();
  if (!permit) co_return net::Refusal(too_many_exports());
  using Progress = RecordingPeaks::Progress;
  const auto compute = [&](auto done) { peaks.next(done); };
  Progress made = Progress::more;
  while (made == Progress::more)
    made = co_await net::from_callback<Progress>(context.executor(), compute);
  if (made == Progress::failed)
    co_return net::Refusal(no_recording(
        "The recording cannot be read any more: it was removed meanwhile, or its file is cut."));
  co_return peaks.json();
}

}  // namespace

net::Awaitable<net::HttpResponse> show_recording_peaks(const ApiServices& api,
                                                       RequestContext& context) {
  auto asked = requests::read_attempt(context.request);
  if (!asked) co_return std::move(asked).error();
  auto found = co_await find_recorded_attempt(api, context, *asked, "GET .../recording/peaks");
  if (!found) co_return std::move(found).error();
  auto audio = co_await find_audio(api, context, *found, {});
  if (!audio) co_return std::move(audio).error();
  const int attempt = found->number;
  const auto peaks =
      std::make_shared<RecordingPeaks>(*api.recordings, *std::move(audio), std::move(found->runs));
  const std::string tag =
      tag_of(context.id + '\n' + std::to_string(attempt) + '\n' + peaks->identity());
  net::HttpResponse response = tagged(context.request, tag, [] { return net::HttpResponse(); });
  if (response.status == 304) co_return response;
  auto text = co_await text_of(api, context, *peaks);
  if (!text) co_return std::move(text).error();
  response.body = *std::move(text);
  co_return response;
}

}  // namespace verbatim::api::handlers
