// The calls of the API that make, show, change and erase sessions.
#include "server/api/handlers/sessions.hpp"

#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/ids.hpp"
#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/requests/session.hpp"
#include "server/api/responses.hpp"
#include "server/api/session_json.hpp"
#include "server/api/session_node.hpp"
#include "server/api/store_access.hpp"
#include "server/relay/session_eraser.hpp"
#include "server/relay/traffic_capture.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

/// A digest of several texts. Each has its length in front, so other texts give another digest.
std::string digest_of(std::initializer_list<std::string_view> texts) {
  std::string all;
  for (const std::string_view text : texts) {
    all += std::to_string(text.size());
    all += ':';
    all += text;
  }
  return to_hex(sha256(all));
}

net::Awaitable<net::HttpResponse> session_as_json(const ApiServices& api,
                                                  const RequestContext& context, int status) {
  const auto call = [&](auto done) {
    api.sessions.find_session(context.id, {"GET /v1/sessions/{id}", context.share()}, done);
  };
  auto session = co_await find_in_store<store::SessionSummary>(api, context, call);
  if (!session) co_return std::move(session).error();
  Json shown = to_json(*session, Detail::whole, recording_kept(api.settings.get()->recording));
  if (context.is_client()) shown.erase("private");
  for (Json& attempt : shown["attempts"]) {
    attempt["captured"] =
        api.capture != nullptr && api.capture->file_of(context.id, attempt["attempt"]).has_value();
  }
  co_return tagged(context.request, json_response(shown, status));
}

store::NewSession session_to_make(const requests::SessionRequest& asked, const std::string& caller,
                                  std::string_view idempotency_key) {
  store::NewSession wanted;
  wanted.now = now().wall;
  wanted.id = asked.session_id.empty() ? new_sortable_id("sess_", wanted.now) : asked.session_id;
  wanted.user = asked.user.value_or(caller);
  wanted.metadata_json = asked.metadata;
  wanted.private_json = asked.private_metadata;
  if (!idempotency_key.empty()) {
    wanted.idempotency = digest_of({caller, idempotency_key});
    wanted.request =
        digest_of({asked.session_id, wanted.user, asked.metadata, asked.private_metadata});
  }
  return wanted;
}

}  // namespace

net::HttpResponse no_search_in_fleet() {
  return net::problem(501, "no search in a fleet",
                      "q is not possible here: each relay of a fleet has an index of its own "
                      "sessions alone. `verbatim sessions list --q` searches those of one relay.");
}

net::Awaitable<net::HttpResponse> list_sessions(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_session_filter(context.request);
  if (!asked) co_return std::move(asked).error();
  auto fields = requests::read_fields(context.request, listed_members());
  if (!fields) co_return std::move(fields).error();
  const bool searches = !asked->question.empty();
  if (searches && api.shared != nullptr) co_return no_search_in_fleet();
  const auto render =
      [fields = *std::move(fields), searches,
       kept = recording_kept(api.settings.get()->recording)](const store::SessionPage& page) {
        Json shown = to_json(page, fields, kept);
        if (searches) shown["search_complete"] = page.search_complete;
        return json_response(shown);
      };
  const auto call = [&](auto done) {
    api.sessions.list_sessions(*asked, {"GET /v1/sessions"},
                               compute_then<store::SessionPage>(render, done));
  };
  auto response = co_await from_store<net::HttpResponse>(context, call);
  if (response) co_return tagged(context.request, *std::move(response));
  // A cursor of the right form, but of the lists of a fleet at a relay that is alone, or the
  // reverse.
  if (response.error().failure() == store::Failure::not_found)
    co_return net::problem(400, "invalid parameter", "cursor must be a next_cursor of this list.");
  co_return storage_problem(api.log, response.error());
}

net::Awaitable<net::HttpResponse> show_session(const ApiServices& api, RequestContext& context) {
  co_return co_await session_as_json(api, context, 200);
}

net::Awaitable<net::HttpResponse> create_session(const ApiServices& api, RequestContext& context) {
  auto read = requests::read_session_request(context.request.body);
  if (!read) co_return std::move(read).error();
  const auto& asked = *read;
  if (auto refused = refuse_secrets(
          api.ids, {{"'session_id'", asked.session_id}, {"'user'", asked.user.value_or("")}}))
    co_return std::move(*refused);
  if (!asked.session_id.empty()) {
    if (auto answer = co_await make_at_session_node(api, context, asked.session_id, false))
      co_return *std::move(answer);
  }
  const std::string_view key = context.request.header("Idempotency-Key");
  const store::NewSession wanted = session_to_make(asked, context.principal.user, key);
  // Other nodes must find it as soon as the caller knows its id.
  if (asked.session_id.empty()) co_await make_at_session_node(api, context, wanted.id, true);
  const auto call = [&](auto done) { api.sessions.create_session(wanted, done); };
  auto made = co_await ask_store<store::MadeSession>(api, context, call);
  if (!made) co_return std::move(made).error();
  using Outcome = store::MadeSession::Outcome;
  if (made->outcome == Outcome::key_of_another_request) {
    co_return net::problem(422, "idempotency key used",
                           "This Idempotency-Key was used for another request.");
  }
  if (made->outcome == Outcome::another_users) co_return not_found();
  const bool is_new = made->outcome == Outcome::made;
  context.id = made->id;
  net::HttpResponse response = co_await session_as_json(api, context, is_new ? 201 : 200);
  if (is_new) response.headers.emplace_back("Location", "/v1/sessions/" + context.id);
  if (!is_new && !key.empty()) response.headers.emplace_back("Idempotent-Replayed", "true");
  co_return response;
}

net::Awaitable<net::HttpResponse> patch_session(const ApiServices& api, RequestContext& context) {
  auto read = requests::read_session_request(context.request.body);
  if (!read) co_return std::move(read).error();
  const auto& asked = *read;
  if (asked.user || !asked.session_id.empty()) {
    co_return net::problem(400, "invalid value", "Only 'metadata' and 'private' can be changed.");
  }
  const auto call = [&](auto done) {
    api.sessions.patch_metadata(context.id, {asked.metadata, asked.private_metadata},
                                requests::metadata_bytes_max, done);
  };
  if (const auto patched = co_await from_store(context, call); !patched) {
    const store::StorageError& failed = patched.error();
    if (failed.failure() == store::Failure::not_found) co_return not_found();
    if (failed.failure() == store::Failure::too_many)
      co_return net::problem(413, "too large", failed.what());
    co_return storage_problem(api.log, failed);
  }
  co_return co_await session_as_json(api, context, 200);
}

namespace {

/// Why the session was not erased; nullopt: it was.
std::optional<net::HttpResponse> refuse_erasure(const ApiServices& api,
                                                const relay::Erased& erased) {
  switch (erased.outcome) {
    case relay::Erased::Outcome::erased:
      break;
    case relay::Erased::Outcome::not_found:
      return not_found();
    case relay::Erased::Outcome::live:
      return net::problem(409, "session is live", "End the conversation first, then erase it.");
    case relay::Erased::Outcome::busy:
      return retry_later(
          net::problem(503, "busy", "The relay cannot do this now. Try again later."));
    case relay::Erased::Outcome::storage_failure:
      return storage_problem(api.log, *erased.error);
    case relay::Erased::Outcome::capture_failure:
      return retry_later(net::problem(503, "storage unavailable",
                                      "The captured events of the session cannot be removed, so "
                                      "nothing was erased. The log has the reason."));
    case relay::Erased::Outcome::recording_failure:
      return retry_later(net::problem(503, "storage unavailable",
                                      "The recorded audio of the session cannot be removed, so "
                                      "its record was not erased. The log has the reason."));
  }
  return std::nullopt;
}

}  // namespace

net::Awaitable<net::HttpResponse> erase_session(const ApiServices& api, RequestContext& context) {
  const relay::Erased erased =
      co_await api.erasure.erase(context.executor(), context.id, relay::Erasure::Why::request,
                                 context.principal.user, api.settings.get()->session.end_wait);
  if (auto refused = refuse_erasure(api, erased)) co_return std::move(*refused);
  if (erased.gone && erased.objects_gone) co_return no_content();
  Json pending = Json::array();
  std::string detail = "The session is erased.";
  if (!erased.gone) {
    pending.push_back("storage");
    detail +=
        " A file may still have some of its text: another process reads the files, or the disk is "
        "slow.";
  }
  if (!erased.objects_gone) {
    pending.push_back("bucket");
    detail +=
        " The bucket still has recorded audio of it; its removal is tried until it succeeds. A "
        "further DELETE says how it stands.";
  }
  co_return json_response({{"id", context.id},
                           {"pending", std::move(pending)},
                           {"detail", detail + " The log will say erasure.complete."}},
                          202);
}

}  // namespace verbatim::api::handlers
