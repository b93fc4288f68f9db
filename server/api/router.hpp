// The HTTP API: which path and method, who may, what it answers. Reading goes to the store's own
// thread, changes to the journal's writer.
//
// One object for all workers.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.hpp"
#include "base/rate_limit.hpp"
#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/api/live_feed.hpp"
#include "server/api/post_allowance.hpp"
#include "server/net/answer_memory.hpp"
#include "server/net/http_connection.hpp"
#include "server/net/result.hpp"
#include "server/net/single_flight.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "server/relay/access/origin.hpp"
#include "server/relay/access/revocations.hpp"
#include "server/relay/metrics.hpp"
#include "server/relay/session_eraser.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/relay/traffic_capture.hpp"
#include "server/relay/upstream.hpp"
#include "server/store/merger.hpp"
#include "server/store/store_reader.hpp"
#include "server/webhooks/dispatcher.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::server {

struct ApiParts {
  const config::Settings& settings;
  const Reloadable<const Authenticator>& authenticator;
  const Upstream& upstream;
  storage::SqliteJournal& journal;
  const StorageWatch& storage;
  const Webhooks& webhooks;
  Erasure& erasure;
  StoreReader& reader;
  Merger& merger;
  LiveFeed& feed;
  Registry& registry;
  Revocations& revocations;
  Metrics& metrics;
  const LargeMessages& large_messages;
  const BodyMemory& bodies;
  const IdGuard& ids;
  AnswerMemory& answers;
  Capture* capture;  ///< null: nothing is captured
  Log& log;
};

struct ClientSecretRequest;

class Api {
 public:
  explicit Api(ApiParts parts)
      : parts_(parts),
        origins_(parts.settings.server),
        posts_of_back_ends_(parts.settings.posts.per_minute),
        posts_of_clients_((parts.settings.posts.per_minute + 1) / 2),
        client_posts_(
            {parts.settings.posts.client_turns_max, parts.settings.posts.client_bytes_max}) {}

  Awaitable<HttpResponse> answer(HttpRequest request, Worker& worker);
  /// Judged by its head alone, before a body is read: who may not call need not be listened to.
  BodyVerdict judge_body(const HttpRequest& head) const;
  /// Under /api/ every answer has the envelope of the product that Verbatim replaces; below
  /// /v1/realtime errors have the provider's shape.
  static HttpResponse in_form_of(const std::string& path, HttpResponse response);
  /// Method and path of all that it answers.
  static std::vector<std::pair<std::string, std::string>> calls();

 private:
  /// What a handler works with.
  struct Context {
    HttpRequest& request;
    Worker& worker;
    std::string id;  ///< the {id} of the path
    Principal principal;
  };
  using Handler = Awaitable<HttpResponse> (Api::*)(Context&);
  enum class Credential { none, back_end, back_end_or_own_session, internal_service };
  struct Route {
    const char* method;
    const char* path;  ///< {id} stands for one segment
    Credential credential;
    Handler handler;
  };
  static const Route routes[];
  std::string admitted_origin(const HttpRequest& request) const;
  void add_privacy(const HttpRequest& request, HttpResponse& response) const;
  /// 503. The error's message goes to the log: it names files.
  HttpResponse storage_problem(const storage::StorageError& error) const;

  /// What a change that ran on the journal's writer came to.
  using Changed = std::optional<storage::StorageError>;
  Awaitable<Changed> change(Worker& worker, std::function<void(storage::Database&)> work);
  /// Whose turn it is where the store is read and copies are merged, and whose part of the memory
  /// of answers it is: a client token's user's if it has one, else the session's.
  static std::string share_of(const Context& context);
  static AnswerMemory::Owner owner_of(const Context& context);
  /// The answer, with its part of the memory of all answers; 503 where there is none for it.
  HttpResponse within_memory(const Context& context, HttpResponse response) const;
  HttpResponse no_memory_for_answer(const Context& context) const;
  /// Reads something of a session: where writers have posted copies, on a thread that merges.
  template <class Found, class Read>
  Awaitable<std::variant<Found, storage::StorageError>> read_merged(Context& context, Read read,
                                                                    const char* what);
  Awaitable<HttpResponse> session_as_json(Context& context, int status);

  Awaitable<HttpResponse> route(HttpRequest& request, Worker& worker);
  /// The header Allow of a path; empty: there is nothing.
  static std::string methods_of(std::string_view path);
  static HttpResponse options_of(std::string_view path);
  std::optional<HttpResponse> refuse(const Route& route, const HttpRequest& request,
                                     const std::string& id, Principal& principal) const;
  /// Why a client token is not good for the session: the token's user may not own it, since a back
  /// end may have named a session id that it got from a browser.
  Awaitable<std::optional<HttpResponse>> refuse_use_of_token(Context& context);
  /// 400 if one of these fields has a key or a token for its value.
  std::optional<HttpResponse> refuse_secrets(
      std::initializer_list<std::pair<const char*, std::string_view>> fields) const;
  /// Whether a call that lasts may go on: its token or back-end key has not been revoked.
  std::function<bool()> may_go_on(const Context& context) const;

  /// A client token as it was asked for, or why there is none.
  struct Minted {
    std::string token;
    TokenClaims claims;
  };
  Awaitable<Result<Minted>> mint(Context&, const ClientSecretRequest& asked);
  Awaitable<std::optional<HttpResponse>> refuse_owner(Context&, const std::string& session_id,
                                                      const std::string& user);

  std::optional<HttpResponse> refuse_length(const TokenClaims& claims) const;

  Awaitable<HttpResponse> create_client_secret(Context&);
  Awaitable<HttpResponse> create_beta_session(Context&);
  Awaitable<HttpResponse> list_client_secrets(Context&);
  Awaitable<HttpResponse> revoke_client_secret(Context&);
  Awaitable<HttpResponse> list_sessions(Context&);
  Awaitable<HttpResponse> show_session(Context&);
  Awaitable<HttpResponse> show_transcript(Context&);
  Awaitable<HttpResponse> watch_session(Context&);
  Awaitable<HttpResponse> erase_session(Context&);
  Awaitable<HttpResponse> create_session(Context&);
  Awaitable<HttpResponse> patch_session(Context&);
  Awaitable<HttpResponse> post_transcript(Context&);
  Awaitable<HttpResponse> create_session_compatible(Context&);
  Awaitable<HttpResponse> post_transcript_compatible(Context&);
  Awaitable<HttpResponse> show_assignment_compatible(Context&);
  Awaitable<HttpResponse> health(Context&);
  Awaitable<HttpResponse> ready(Context&);
  Awaitable<HttpResponse> show_metrics(Context&);
  Awaitable<HttpResponse> version(Context&);
  Awaitable<HttpResponse> openapi(Context&);
  Awaitable<HttpResponse> show_page(Context&);
  Awaitable<HttpResponse> show_captured(Context&);

  /// What a check for /readyz finds; empty: nothing. Nobody needs a key to ask, and a check costs a
  /// sync or a TLS handshake: however many ask, each is made once at a time and once a second.
  using Check = SingleFlight<std::string>;
  Awaitable<std::string> journal_trouble(Worker& worker);
  Awaitable<std::string> prove_journal(Executor executor);

  ApiParts parts_;
  OriginRules origins_;
  RateLimit posts_of_back_ends_;
  RateLimit posts_of_clients_;
  PostAllowance client_posts_;
  Check journal_check_{std::chrono::seconds(1)};
  Check upstream_check_{std::chrono::seconds(1)};
};

template <class Found, class Read>
Awaitable<std::variant<Found, storage::StorageError>> Api::read_merged(Context& context, Read read,
                                                                       const char* what) {
  using Quick = std::optional<Found>;
  const auto executor = context.worker.executor();
  const auto lane = std::make_shared<storage::MergeLane>(storage::MergeLane::quick);
  const auto unless_copied = [id = context.id, read,
                              lane](storage::TranscriptStore& store) -> Quick {
    if (const auto copied = storage::merge_lane(store.database(), id)) {
      *lane = *copied;
      return std::nullopt;
    }
    return Quick(std::in_place, read(store));
  };
  auto quick = co_await parts_.reader.run<Quick>(executor, unless_copied, what, share_of(context));
  using Outcome = std::variant<Found, storage::StorageError>;
  if (auto* error = std::get_if<1>(&quick))
    co_return Outcome(std::in_place_index<1>, std::move(*error));
  if (auto& found = std::get<0>(quick))
    co_return Outcome(std::in_place_index<0>, std::move(*found));
  co_return co_await parts_.merger.of(*lane).run<Found>(executor, read, what, share_of(context));
}

}  // namespace verbatim::server
