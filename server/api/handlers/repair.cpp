// The call of the API with which an operator asks for a second transcription of a session.
#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/api/handler.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/relay/recordings.hpp"
#include "server/repair/repairs.hpp"
#include "server/repair/utterance.hpp"
#include "storage/store/recording_store.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

constexpr const char* repair_call = "POST /v1/sessions/{id}/repair";

using transcript::TranscriptView;

/// One attempt: its utterances without text.
struct Found {
  std::vector<repair::Utterance> utterances;
  bool recorded = false;  ///< the audio is there
};

net::Awaitable<net::Result<Found>> find_utterances(const ApiServices& api,
                                                   const RequestContext& context,
                                                   const TranscriptView& view) {
  const auto call = [&](auto done) {
    api.recorded.read_recording(context.id, view.attempt, {repair_call, context.share()}, done);
  };
  auto recorded = co_await find_in_store<store::RecordedAttempt>(api, context, call);
  if (!recorded) co_return net::Refusal(std::move(recorded).error());
  Found found;
  if (recorded->runs.empty()) co_return net::Result<Found>(tl::in_place, std::move(found));
  const auto measure = [&](auto done) { api.recordings->measure(context.id, view.attempt, done); };
  using Measured = relay::Recordings::Measured;
  const auto measured = co_await net::from_callback<Measured>(context.executor(), measure);
  if (!measured) co_return net::Refusal(unreadable_recording(measured.error()));
  found.recorded = measured->sizes.user > 0;
  if (found.recorded) found.utterances = repair::choose_utterances(view, recorded->runs, true);
  co_return net::Result<Found>(tl::in_place, std::move(found));
}

void show(Json& queued, int attempt, const repair::Utterance& utterance) {
  queued.push_back({{"attempt", attempt},
                    {"item_id", utterance.item_id},
                    {"ordinal", utterance.ordinal},
                    {"audio_ms", utterance.audio_ms}});
}

net::HttpResponse nothing_to_read(bool any_final) {
  if (!any_final)
    return net::problem(409, "recording not finished",
                        "The attempt is not final: its transcriptions may still come. Ask again "
                        "when it has ended.");
  return net::problem(409, "no recording",
                      "Nothing was recorded of the user's speech, or the recording is not here any "
                      "more.");
}

}  // namespace

net::Awaitable<net::HttpResponse> repair_session(const ApiServices& api, RequestContext& context) {
  const auto attempt = requests::read_attempt(context.request);
  if (!attempt) co_return std::move(attempt).error();
  const auto call = [&](auto done) {
    api.sessions.read_transcripts({context.id, *attempt, !attempt->has_value()},
                                  {repair_call, context.share()}, done);
  };
  const auto views = co_await find_in_store<store::TranscriptViews>(api, context, call);
  if (!views) co_return std::move(views).error();
  if (api.settings.get()->repair.url.empty())
    co_return net::problem(409, "repair is off",
                           "This relay has no engine for transcriptions: set repair.url.");
  bool any_final = false;
  bool any_recorded = false;
  Json queued = Json::array();
  for (const TranscriptView& view : *views) {
    if (view.status != transcript::SessionStatus::final) continue;
    any_final = true;
    if (api.repairs == nullptr) continue;
    const auto found = co_await find_utterances(api, context, view);
    if (!found) co_return std::move(found).error();
    any_recorded |= found->recorded;
    if (found->utterances.empty()) continue;
    const store::RepairableAttempt asked{context.id, view.attempt};
    const auto ask = [&](auto done) { api.repairs->ask(asked, done); };
    const auto outcome = co_await from_store<>(context, ask);
    if (!outcome) co_return storage_problem(api.log, outcome.error());
    for (const repair::Utterance& one : found->utterances) show(queued, view.attempt, one);
  }
  if (!any_recorded) co_return nothing_to_read(any_final);
  co_return json_response({{"id", context.id}, {"queued", std::move(queued)}}, 202);
}

}  // namespace verbatim::api::handlers
