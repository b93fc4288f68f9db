// The calls of the API that make, show, change and erase sessions. See api.hpp.
#include <memory>
#include <nlohmann/json.hpp>

#include "base/crypto.hpp"
#include "base/ids.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/requests/session.hpp"
#include "server/api/responses.hpp"
#include "server/api/router.hpp"
#include "server/api/session_json.hpp"
#include "server/relay/session_driver.hpp"

namespace verbatim::server {

namespace {

using nlohmann::json;

/// Of several texts, so that none can pass for two.
std::string digest_of(std::initializer_list<std::string_view> texts) {
  std::string all;
  for (const std::string_view text : texts) {
    all += std::to_string(text.size());
    all += ':';
    all += text;
  }
  return to_hex(sha256(all));
}

}  // namespace

Awaitable<Api::Changed> Api::change(Worker& worker, std::function<void(storage::Database&)> work) {
  const auto start = [this, &work](auto done) {
    parts_.journal.execute(work, [done](const storage::StorageError* error) mutable {
      done(error ? Changed(*error) : Changed());
    });
  };
  co_return co_await from_callback<Changed>(worker.executor(), start);
}

Awaitable<HttpResponse> Api::session_as_json(Context& context, int status) {
  using Found = std::optional<storage::SessionSummary>;
  const auto read = [id = context.id](storage::TranscriptStore& store) {
    return store.session(id);
  };
  auto found = co_await read_merged<Found>(context, read, "GET /v1/sessions/{id}");
  if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
  const Found& session = std::get<0>(found);
  if (!session) co_return not_found();
  json shown = to_json(*session);
  if (context.principal.kind == Principal::Kind::client_token) shown.erase("private");
  for (json& attempt : shown["attempts"]) {
    attempt["captured"] = parts_.capture != nullptr &&
                          parts_.capture->file_of(context.id, attempt["attempt"]).has_value();
  }
  co_return tagged(context.request, json_response(shown, status));
}

Awaitable<HttpResponse> Api::list_sessions(Context& context) {
  auto asked = read_session_filter(context.request);
  if (!asked) co_return std::move(asked).error();
  const auto& filter = *asked;
  const auto read = [filter](storage::TranscriptStore& store) { return store.list(filter); };
  auto page = co_await parts_.reader.run<storage::SessionPage>(context.worker.executor(), read,
                                                               "GET /v1/sessions");
  if (const auto* error = std::get_if<1>(&page)) co_return storage_problem(*error);
  const auto& found = std::get<0>(page);
  json sessions = json::array();
  for (const auto& session : found.sessions) sessions.push_back(to_json(session));
  co_return json_response(
      {{"sessions", sessions},
       {"next_cursor", found.next_cursor.empty() ? json(nullptr) : json(found.next_cursor)}});
}

Awaitable<HttpResponse> Api::show_session(Context& context) {
  co_return co_await session_as_json(context, 200);
}

Awaitable<HttpResponse> Api::create_session(Context& context) {
  auto read = read_session_request(context.request.body);
  if (!read) co_return std::move(read).error();
  const auto& asked = *read;
  if (auto refused =
          refuse_secrets({{"'session_id'", asked.session_id}, {"'user'", asked.user.value_or("")}}))
    co_return std::move(*refused);
  const std::string_view key = context.request.header("Idempotency-Key");
  storage::NewSession wanted;
  wanted.now = now().wall;
  wanted.id = asked.session_id.empty() ? new_id("sess_", wanted.now) : asked.session_id;
  wanted.user = asked.user.value_or(context.principal.user);
  wanted.metadata_json = asked.metadata;
  wanted.private_json = asked.private_metadata;
  if (!key.empty()) {
    wanted.idempotency = digest_of({context.principal.user, key});
    wanted.request =
        digest_of({asked.session_id, wanted.user, asked.metadata, asked.private_metadata});
  }
  const auto made = std::make_shared<storage::MadeSession>();
  std::function<void(storage::Database&)> work = [wanted, made](auto& database) {
    *made = storage::create_session(database, wanted);
  };
  const Changed failed = co_await change(context.worker, std::move(work));
  if (failed) co_return storage_problem(*failed);
  using Outcome = storage::MadeSession::Outcome;
  if (made->outcome == Outcome::key_of_another_request) {
    co_return problem(422, "idempotency key used",
                      "This Idempotency-Key was used for another request.");
  }
  if (made->outcome == Outcome::another_users) co_return not_found();
  const bool is_new = made->outcome == Outcome::made;
  context.id = made->id;
  HttpResponse response = co_await session_as_json(context, is_new ? 201 : 200);
  if (is_new) response.headers.emplace_back("Location", "/v1/sessions/" + context.id);
  if (!is_new && !key.empty()) response.headers.emplace_back("Idempotent-Replayed", "true");
  co_return response;
}

Awaitable<HttpResponse> Api::patch_session(Context& context) {
  auto read = read_session_request(context.request.body);
  if (!read) co_return std::move(read).error();
  const auto& asked = *read;
  if (asked.user || !asked.session_id.empty()) {
    co_return problem(400, "invalid value", "Only 'metadata' and 'private' can be changed.");
  }
  std::function<void(storage::Database&)> work = [id = context.id, asked](auto& database) {
    storage::patch_metadata(database, id, {asked.metadata, asked.private_metadata},
                            metadata_bytes_max);
  };
  const Changed failed = co_await change(context.worker, std::move(work));
  if (failed && failed->failure() == storage::Failure::not_found) co_return not_found();
  if (failed && failed->failure() == storage::Failure::too_many)
    co_return problem(413, "too large", failed->what());
  if (failed) co_return storage_problem(*failed);
  co_return co_await session_as_json(context, 200);
}

Awaitable<HttpResponse> Api::erase_session(Context& context) {
  const Erased erased = co_await parts_.erasure.erase(
      context.worker.executor(), context.id, Erasure::Why::request, context.principal.user);
  switch (erased.outcome) {
    case Erased::Outcome::erased:
      break;
    case Erased::Outcome::not_found:
      co_return not_found();
    case Erased::Outcome::live:
      co_return problem(409, "session is live", "End the conversation first, then erase it.");
    case Erased::Outcome::busy:
      co_return retry_later(
          problem(503, "busy", "The server cannot do this now. Try again later."));
    case Erased::Outcome::storage_failure:
      co_return storage_problem(*erased.error);
    case Erased::Outcome::capture_failure:
      co_return retry_later(problem(503, "storage unavailable",
                                    "The captured events of the session cannot be removed, so "
                                    "nothing was erased. The log has the reason."));
  }
  HttpResponse gone;
  gone.status = 204;
  gone.content_type.clear();
  co_return gone;
}

}  // namespace verbatim::server
