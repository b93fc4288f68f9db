// The call of the API that shows a session while it happens. See api.hpp.
#include "server/api.hpp"
#include "server/api_answers.hpp"
#include "server/event_stream.hpp"
#include "server/session_queries.hpp"

namespace verbatim::server {

namespace {

HttpResponse refused(LiveFeed::Refusal why) {
  switch (why) {
    case LiveFeed::Refusal::too_many_of_session:
      return retry_later(problem(429, "too many watchers",
                                 "This session has as many watchers as "
                                 "events.watchers_per_session_max admits."));
    case LiveFeed::Refusal::too_many:
      return retry_later(problem(503, "too many watchers",
                                 "The server has as many watchers as events.watchers_max admits."));
    case LiveFeed::Refusal::closing:
    case LiveFeed::Refusal::none:
      break;
  }
  return retry_later(problem(503, "server shutting down", "The server is restarting; come back."));
}

}  // namespace

Awaitable<HttpResponse> Api::watch_session(Context& context) {
  const auto attempt = read_attempt(context.request);
  if (const auto* wrong = std::get_if<HttpResponse>(&attempt)) co_return *wrong;
  LiveFeed::Refusal why = LiveFeed::Refusal::none;
  auto place = parts_.feed.enter(context.id, why);
  if (!place) co_return refused(why);
  // One that is not ours has seen nothing.
  const auto seen = storage::tail_mark_from_string(context.request.header("Last-Event-ID"));
  using Found = std::optional<storage::TailStart>;
  const auto read = [id = context.id, number = std::get<0>(attempt),
                     seen](storage::TranscriptStore& store) {
    return storage::start_tail(store.database(), id, number, seen);
  };
  auto found = co_await read_merged<Found>(context, read, "GET /v1/sessions/{id}/events");
  if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
  Found& start = std::get<0>(found);
  if (!start) co_return not_found();
  HttpResponse response;
  if (start->nothing_new && !start->before) {
    response.status = 204;  // a browser does not come back after that
    response.content_type.clear();
    co_return response;
  }
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.source =
      std::make_shared<EventStream>(parts_.feed, std::move(place), std::move(*start), seen,
                                    may_go_on(context), context.worker.executor());
  co_return response;
}

}  // namespace verbatim::server
