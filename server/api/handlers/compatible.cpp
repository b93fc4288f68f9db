// The routes of the product that Verbatim replaces, with its paths and field names, so that its
// agents and browsers need no change. Each does the same as one of the API's own routes. The
// envelope of their answers: path_form.hpp.
#include <algorithm>

#include "base/json/tree.hpp"
#include "server/api/handlers/sessions.hpp"
#include "server/api/handlers/transcripts.hpp"
#include "server/api/requests/json_body.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/session_node.hpp"
#include "server/api/shared_store.hpp"
#include "server/api/store_access.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

net::Awaitable<net::HttpResponse> create_session_compatible(const ApiServices& api,
                                                            RequestContext& context) {
  if (auto refused = requests::refuse_invalid_json(context.request.body))
    co_return std::move(*refused);
  const Json asked = Json::parse(context.request.body, nullptr, false);
  if (!asked.is_object())
    co_return net::problem(400, "invalid value", "The body must be an object.");
  Json session = {{"metadata", Json::object()}};
  for (const char* name : {"type", "assignmentId", "userId", "scenarioId"}) {
    const auto at = asked.find(name);
    if (at == asked.end() || at->is_null()) continue;
    if (!at->is_string() && !at->is_number_integer())
      co_return net::problem(400, "invalid value", std::string(name) + " must be a string.");
    session["metadata"][name] = at->is_string() ? at->get<std::string>() : at->dump();
  }
  if (session["metadata"].contains("userId")) session["user"] = session["metadata"]["userId"];
  context.request.body = session.dump();
  net::HttpResponse made = co_await create_session(api, context);
  if (made.status >= 400) co_return made;
  const Json shown = Json::parse(made.body, nullptr, false);
  const int attempt = std::max(1, shown.value("current_attempt", 0));
  made.body = Json{{"sessionId", context.id}, {"currentAttempt", attempt}}.dump();
  co_return made;
}

net::Awaitable<net::HttpResponse> post_transcript_compatible(const ApiServices& api,
                                                             RequestContext& context) {
  net::HttpResponse posted = co_await post_transcript(api, context);
  if (posted.status >= 400) co_return posted;
  const Json outcome = Json::parse(posted.body, nullptr, false);
  posted.body = Json{{"sessionId", context.id},           {"attemptNumber", outcome["attempt"]},
                     {"added", outcome["added"]},         {"extended", outcome["extended"]},
                     {"unchanged", outcome["unchanged"]}, {"turnCount", outcome["turns"]},
                     {"complete", outcome["complete"]},   {"skipped", outcome["skipped"]}}
                    .dump();
  co_return posted;
}

namespace {

net::HttpResponse no_transcript() {
  return net::problem(404, "not found", "There is no transcript of this assignment.");
}

constexpr const char* assignment_read = "GET /api/external/assignments";

/// The assignment's newest session.
net::Awaitable<net::Result<std::string>> find_session_of(const ApiServices& api,
                                                         const RequestContext& context,
                                                         const std::string& assignment) {
  store::SessionFilter filter;
  filter.metadata.emplace_back("assignmentId", assignment);
  filter.limit = 1;
  const auto call = [&](auto done) { api.sessions.list_sessions(filter, {assignment_read}, done); };
  auto page = co_await ask_store<store::SessionPage>(api, context, call);
  if (!page) co_return net::Refusal(std::move(page).error());
  if (page->sessions.empty()) co_return net::Refusal(no_transcript());
  co_return std::move(page->sessions.front().id);
}

Json assignment_json(const transcript::TranscriptView& view, const std::string& assignment) {
  Json turns = Json::array();
  for (const transcript::MergedTurn& turn : view.turns)
    turns.push_back({{"role", transcript::to_string(turn.role)},
                     {"content", turn.text.utf8()},
                     {"turnOrder", turn.ordinal},
                     {"attemptNumber", view.attempt},
                     {"status", transcript::to_string(turn.status)}});
  return {
      {"sessionId", view.session_id},
      {"assignmentId", assignment},
      {"attemptNumber", view.attempt},
      {"status", transcript::to_string(view.status)},
      {"closeReason", view.close_reason ? Json(transcript::to_string(*view.close_reason)) : Json()},
      {"complete", view.complete},
      {"turns", turns}};
}

}  // namespace

net::Awaitable<net::HttpResponse> show_assignment_compatible(const ApiServices& api,
                                                             RequestContext& context) {
  auto attempt = requests::read_attempt(context.request);
  if (!attempt) co_return std::move(attempt).error();
  const std::string assignment = context.id;
  auto session = co_await find_session_of(api, context, assignment);
  if (!session) co_return std::move(session).error();
  context.id = std::move(*session);
  store::SessionStore* sessions = &api.sessions;
  if (api.peers != nullptr && context.request.peer_session.empty()) {
    SessionNode node = co_await ask_session_node(api, context);
    if (node.silent && api.shared != nullptr) {
      sessions = &api.shared->stores.sessions;
    } else if (node.answer) {
      co_return *std::move(node.answer);
    }
  }
  const auto call = [&](auto done) {
    sessions->read_transcripts({context.id, *attempt}, {assignment_read, context.share()}, done);
  };
  auto views = co_await find_in_store<store::TranscriptViews>(api, context, call, no_transcript);
  if (!views) co_return std::move(views).error();
  co_return json_response(assignment_json(views->front(), assignment));
}

}  // namespace verbatim::api::handlers
