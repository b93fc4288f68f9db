// The call of the API with which an operator ends a session.

#include "server/api/requests/session_end.hpp"
#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/api/handlers/sessions.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "server/relay/session_ender.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

using Ending = relay::SessionEnder::Outcome;

/// The disk has not confirmed the final record in time, or another request holds the session.
net::HttpResponse end_is_pending(const std::string& id) {
  net::HttpResponse response = json_response(
      {{"id", id},
       {"pending", {"storage"}},
       {"detail", "The session is being ended. Its final record is not confirmed yet; ask again."}},
      202);
  response.headers.emplace_back("Location", "/v1/sessions/" + id);
  return retry_later(std::move(response));
}

std::optional<net::HttpResponse> answer_without_session(Ending outcome, const std::string& id) {
  switch (outcome) {
    case Ending::pending:
      return end_is_pending(id);
    case Ending::not_kept:
      return retry_later(net::problem(503, "storage unavailable",
                                      "The session has ended, but its final record cannot be "
                                      "stored. The next start makes it from the journal."));
    case Ending::restarting:
      return retry_later(net::problem(503, "restarting",
                                      "The relay stops; the next process continues the session. "
                                      "End it there."));
    case Ending::ended:
    case Ending::nothing:
      break;
  }
  return std::nullopt;
}

}  // namespace

net::Awaitable<net::HttpResponse> end_session(const ApiServices& api, RequestContext& context) {
  auto reason = requests::read_end_reason(context.request.body);
  if (!reason) co_return std::move(reason).error();
  if (auto refused = refuse_secrets(api.ids, {{"'reason'", *reason}}))
    co_return std::move(*refused);
  const auto deadline = net::Clock::now() + api.settings.get()->session.end_wait;
  while (true) {
    const Ending outcome =
        co_await api.ender.end(context.executor(), context.id, *reason, deadline);
    if (auto answer = answer_without_session(outcome, context.id)) co_return std::move(*answer);
    const auto call = [&](auto done) {
      api.sessions.find_session(context.id, {"POST /v1/sessions/{id}/end", context.share()}, done);
    };
    auto session = co_await find_in_store<store::SessionSummary>(api, context, call);
    if (!session) co_return std::move(session).error();
    if (session->status == transcript::SessionStatus::final)
      co_return co_await show_session(api, context);
    if (session->status == transcript::SessionStatus::created)
      co_return net::problem(409, "session not begun",
                             "The session has no conversation that could be ended. Revoke its "
                             "client token to prevent one, or erase it.");
    // It began after the look, so it is ended in the next round.
    if (net::Clock::now() >= deadline) co_return end_is_pending(context.id);
    net::Timer pause(context.executor(), std::chrono::milliseconds(20));
    co_await pause.async_wait(net::use_tuple);
  }
}

}  // namespace verbatim::api::handlers
