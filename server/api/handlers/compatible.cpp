// The forms of answers, and the routes of the product that Verbatim replaces, for agents and
// browsers that stay as they are: its envelope, its field names. What they mean is the API's own.
// See api.hpp.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json/view.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/router.hpp"
#include "server/relay/session_driver.hpp"

namespace verbatim::server {

using nlohmann::json;

namespace {

constexpr std::string_view problem_type = "application/problem+json";

/// "not found" -> "not_found"
std::string code_of(std::string title) {
  std::replace(title.begin(), title.end(), ' ', '_');
  return title;
}

HttpResponse in_providers_shape(HttpResponse refusal) {
  const json body = json::parse(refusal.body, nullptr, false);
  HttpResponse shaped =
      openai_error(refusal.status, code_of(body.value("title", "")), body.value("detail", ""));
  shaped.headers = std::move(refusal.headers);
  return shaped;
}

}  // namespace

HttpResponse Api::in_form_of(const std::string& path, HttpResponse response) {
  if (is_realtime_path(path) && response.content_type == problem_type) {
    return in_providers_shape(std::move(response));
  }
  if (!path.starts_with("/api/")) return response;
  json body = json::parse(response.body, nullptr, false);
  json wrapped;
  if (response.status < 400) {
    wrapped = {{"ok", true}, {"data", std::move(body)}};
  } else {
    const bool is_problem = body.is_object() && body.contains("title");
    wrapped = {{"ok", false},
               {"error",
                {{"type", is_problem ? body["title"] : json("error")},
                 {"message", is_problem ? body.value("detail", "") : response.body}}}};
  }
  response.content_type = "application/json";
  response.body = wrapped.dump(-1, ' ', false, json::error_handler_t::replace);
  return response;
}

Awaitable<HttpResponse> Api::create_session_compatible(Context& context) {
  if (const auto fault = verbatim::json::check(context.request.body))
    co_return problem(400, "invalid JSON",
                      "The body is not JSON, at byte " + std::to_string(fault->offset) + ": " +
                          std::string(fault->what) + ".");
  const json asked = json::parse(context.request.body, nullptr, false);
  if (!asked.is_object()) co_return problem(400, "invalid value", "The body must be an object.");
  json session = {{"metadata", json::object()}};
  for (const char* name : {"type", "assignmentId", "userId", "scenarioId"}) {
    const auto at = asked.find(name);
    if (at == asked.end() || at->is_null()) continue;
    if (!at->is_string() && !at->is_number_integer())
      co_return problem(400, "invalid value", std::string(name) + " must be a string.");
    session["metadata"][name] = at->is_string() ? at->get<std::string>() : at->dump();
  }
  if (session["metadata"].contains("userId")) session["user"] = session["metadata"]["userId"];
  context.request.body = session.dump();
  HttpResponse made = co_await create_session(context);
  if (made.status >= 400) co_return made;
  const json shown = json::parse(made.body, nullptr, false);
  const int attempt = std::max(1, shown.value("current_attempt", 0));
  made.body = json{{"sessionId", context.id}, {"currentAttempt", attempt}}.dump();
  co_return made;
}

namespace {

HttpResponse no_transcript() {
  return problem(404, "not found", "There is no transcript of this assignment.");
}

}  // namespace

Awaitable<HttpResponse> Api::post_transcript_compatible(Context& context) {
  HttpResponse posted = co_await post_transcript(context);
  if (posted.status >= 400) co_return posted;
  const json outcome = json::parse(posted.body, nullptr, false);
  posted.body = json{{"sessionId", context.id},           {"attemptNumber", outcome["attempt"]},
                     {"added", outcome["added"]},         {"extended", outcome["extended"]},
                     {"unchanged", outcome["unchanged"]}, {"turnCount", outcome["turns"]},
                     {"complete", outcome["complete"]},   {"skipped", outcome["skipped"]}}
                    .dump();
  co_return posted;
}

Awaitable<HttpResponse> Api::show_assignment_compatible(Context& context) {
  auto asked = read_attempt(context.request);
  if (!asked) co_return std::move(asked).error();
  const auto attempt = *asked;
  const std::string assignment = context.id;
  using Id = std::optional<std::string>;
  const auto look = [assignment](storage::TranscriptStore& store) -> Id {
    storage::SessionFilter filter;
    filter.metadata.emplace_back("assignmentId", assignment);
    filter.limit = 1;
    const auto page = store.list(filter);
    if (page.sessions.empty()) return std::nullopt;
    return page.sessions.front().id;
  };
  const char* const what = "GET /api/external/assignments";
  auto session = co_await parts_.reader.run<Id>(context.worker.executor(), look, what);
  if (const auto* error = std::get_if<1>(&session)) co_return storage_problem(*error);
  if (!std::get<0>(session)) co_return no_transcript();
  context.id = *std::get<0>(session);
  using Found = std::optional<session::TranscriptView>;
  const auto read = [id = context.id, attempt](storage::TranscriptStore& store) -> Found {
    return store.transcript(id, attempt);
  };
  auto found = co_await read_merged<Found>(context, read, what);
  if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
  const Found& view = std::get<0>(found);
  if (!view) co_return no_transcript();
  json turns = json::array();
  for (const session::MergedTurn& turn : view->turns)
    turns.push_back({{"role", to_string(turn.role)},
                     {"content", turn.text.utf8()},
                     {"turnOrder", turn.ordinal},
                     {"attemptNumber", view->attempt},
                     {"status", to_string(turn.status)}});
  co_return json_response(
      {{"sessionId", view->session_id},
       {"assignmentId", assignment},
       {"attemptNumber", view->attempt},
       {"status", to_string(view->status)},
       {"closeReason", view->close_reason ? json(to_string(*view->close_reason)) : json()},
       {"complete", view->complete},
       {"turns", turns}});
}

}  // namespace verbatim::server
