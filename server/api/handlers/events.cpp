// The call of the API that shows a session live.
#include "server/api/answer_limits.hpp"
#include "server/api/authorize.hpp"
#include "server/api/event_stream.hpp"
#include "server/api/handlers/sessions.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"

namespace verbatim::api::handlers {

net::HttpResponse too_many_watchers(LiveFeed::NotAdmitted why) {
  switch (why) {
    case LiveFeed::NotAdmitted::too_many_of_session:
      return retry_later(net::problem(429, "too many watchers",
                                      "This session has reached its limit of event streams "
                                      "(events.watchers_per_session_max)."));
    case LiveFeed::NotAdmitted::too_many:
      return retry_later(
          net::problem(503, "too many watchers",
                       "The relay has reached its limit of event streams (events.watchers_max)."));
    case LiveFeed::NotAdmitted::closing:
      break;
  }
  return retry_later(
      net::problem(503, "server shutting down", "The relay is restarting. Connect again."));
}

namespace {

/// Bytes of a state that one stream holds alone. The newest state of a live attempt is shared by
/// all its subscribers and does not count.
std::size_t bytes_of(const store::TailState* state) {
  std::size_t sum = 0;
  if (state == nullptr) return sum;
  for (const auto& turn : state->turns) sum += turn->json.size();
  for (const auto& call : state->calls) sum += call->json.size();
  return sum;
}

/// The first state of a stream.
struct Start {
  store::TailStart tail;
  std::shared_ptr<net::AnswerMemory::Share> memory;  ///< null: there is no room for it
};

std::optional<Start> begin(std::optional<store::TailStart> tail, net::AnswerMemory& answers,
                           const net::AnswerMemory::Owner& owner) {
  if (!tail) return std::nullopt;
  auto memory = std::make_shared<net::AnswerMemory::Share>(answers, owner);
  if (!memory->resize(bytes_of(tail->ended.get()) + bytes_of(tail->before.get()))) return Start{};
  return Start{std::move(*tail), std::move(memory)};
}

}  // namespace

net::Awaitable<net::HttpResponse> watch_session(const ApiServices& api, RequestContext& context) {
  auto attempt = requests::read_attempt(context.request);
  if (!attempt) co_return std::move(attempt).error();
  auto permit = api.feed.admit(context.id);
  if (!permit) co_return too_many_watchers(permit.error());
  // A mark that is not ours counts as none: the watcher has seen nothing.
  const auto seen = store::tail_mark_from_string(context.request.header("Last-Event-ID"));
  const auto first = [owner = owner_of(context), &answers = api.answers](auto tail) {
    return begin(std::move(tail), answers, owner);
  };
  const auto call = [&](auto done) {
    using Found = std::optional<store::TailStart>;
    api.tails.start_tail({context.id, *attempt, seen},
                         {"GET /v1/sessions/{id}/events", context.share()},
                         compute_then<Found>(first, done));
  };
  auto start = co_await find_in_store<Start>(api, context, call);
  if (!start) co_return std::move(start).error();
  if (!start->memory) co_return no_memory_for_answer(api, context);
  net::HttpResponse response;
  if (start->tail.nothing_new && !start->tail.before) {
    response.status = 204;  // a browser does not come back after that
    response.content_type.clear();
    co_return response;
  }
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.source = std::make_shared<EventStream>(
      api.feed, std::move(*permit), std::move(start->tail), seen, may_go_on(api, context),
      std::move(start->memory), context.executor());
  co_return response;
}

}  // namespace verbatim::api::handlers
