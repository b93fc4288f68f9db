// The call of the API that shows a session while it happens. See api.hpp.
#include "server/api/event_stream.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/router.hpp"

namespace verbatim::server {

namespace {

HttpResponse refused(LiveFeed::Refusal why) {
  switch (why) {
    case LiveFeed::Refusal::too_many_of_session:
      return retry_later(problem(429, "too many watchers",
                                 "This session has reached its limit of event streams "
                                 "(events.watchers_per_session_max)."));
    case LiveFeed::Refusal::too_many:
      return retry_later(
          problem(503, "too many watchers",
                  "The server has reached its limit of event streams (events.watchers_max)."));
    case LiveFeed::Refusal::closing:
    case LiveFeed::Refusal::none:
      break;
  }
  return retry_later(
      problem(503, "server shutting down", "The server is restarting. Connect again."));
}

/// A stream's own: what a live attempt shows is shared by all who watch it.
std::size_t bytes_of(const storage::TailState* state) {
  std::size_t sum = 0;
  if (state == nullptr) return sum;
  for (const auto& turn : state->turns) sum += turn->json.size();
  for (const auto& call : state->calls) sum += call->json.size();
  return sum;
}

}  // namespace

Awaitable<HttpResponse> Api::watch_session(Context& context) {
  const auto attempt = read_attempt(context.request);
  if (!attempt) co_return std::move(attempt).error();
  LiveFeed::Refusal why = LiveFeed::Refusal::none;
  auto place = parts_.feed.admit(context.id, why);
  if (!place) co_return refused(why);
  // One that is not ours has seen nothing.
  const auto seen = storage::tail_mark_from_string(context.request.header("Last-Event-ID"));
  struct Start {
    storage::TailStart tail;
    std::shared_ptr<AnswerMemory::Share> memory;  ///< null: there is no room for it
  };
  using Found = std::optional<Start>;
  const auto read = [id = context.id, number = *attempt, seen, owner = owner_of(context),
                     &answers = parts_.answers](storage::TranscriptStore& store) -> Found {
    auto tail = storage::start_tail(store.database(), id, number, seen);
    if (!tail) return std::nullopt;
    auto memory = std::make_shared<AnswerMemory::Share>(answers, owner);
    if (!memory->resize(bytes_of(tail->ended.get()) + bytes_of(tail->before.get()))) return Start{};
    return Start{std::move(*tail), std::move(memory)};
  };
  auto found = co_await read_merged<Found>(context, read, "GET /v1/sessions/{id}/events");
  if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
  if (!std::get<0>(found)) co_return not_found();
  auto& [start, memory] = *std::get<0>(found);
  if (!memory) co_return no_memory_for_answer(context);
  HttpResponse response;
  if (start.nothing_new && !start.before) {
    response.status = 204;  // a browser does not come back after that
    response.content_type.clear();
    co_return response;
  }
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.source = std::make_shared<EventStream>(parts_.feed, std::move(place), std::move(start),
                                                  seen, may_go_on(context), std::move(memory),
                                                  context.worker.executor());
  co_return response;
}

}  // namespace verbatim::server
