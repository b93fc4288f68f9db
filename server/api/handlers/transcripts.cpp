// The calls of the API that read and fill transcripts.
#include "server/api/handlers/transcripts.hpp"

#include <algorithm>
#include <memory>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/api/answer_limits.hpp"
#include "server/api/authorize.hpp"
#include "server/api/post_limits.hpp"
#include "server/api/requests/posted_copy.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/relay/access/revocations.hpp"
#include "server/relay/access/token_judgement.hpp"
#include "server/relay/session_registry.hpp"
#include "storage/store/copy_store.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

constexpr auto transcript_look_interval = std::chrono::seconds(1);

/// A server that stops ends conversations at once: a longer wait would only delay its end.
constexpr auto wait_of_a_stop = std::chrono::seconds(1);

/// Posts with client tokens can use this fraction (1/n) of the bytes that all writers of an attempt
/// may post. The rest stays for their back end.
constexpr std::size_t clients_part_of_posts = 2;

/// Reading a longer post takes tens of milliseconds.
constexpr std::size_t quickly_read_bytes = 256 * 1024;

/// A transcript, rendered on the thread that read it: one text waits for the connection, and its
/// memory is counted.
struct Rendered {
  bool due = false;  ///< false: it is not the time for an answer yet, and nothing was rendered
  std::string body;
  std::string tag;
  std::shared_ptr<net::AnswerMemory::Share> memory;  ///< null: there is no room for it
};

Rendered render_transcripts(const store::TranscriptViews& views, const std::string& id,
                            const requests::TranscriptQuery& query,
                            net::Clock::time_point deadline) {
  Rendered rendered;
  const bool is_final = !views.empty() && views.back().status == transcript::SessionStatus::final;
  rendered.due = is_final || net::Clock::now() >= deadline;
  if (!rendered.due) return rendered;
  rendered.body = query.all_attempts ? transcript::render(id, views, query.format)
                                     : transcript::render(views.front(), query.format);
  rendered.tag = tag_of(rendered.body);
  return rendered;
}

store::CopyLimits limits_of(const config::Posts& settings, bool is_client) {
  store::CopyLimits limits{settings.copies_max, settings.attempt_turns_max,
                           settings.attempt_bytes_max};
  if (!is_client) return limits;
  for (std::size_t* const one : {&limits.copies_max, &limits.turns_max, &limits.bytes_max})
    *one = std::max<std::size_t>(1, *one / clients_part_of_posts);
  limits.of = " for client tokens, which get at most half of the limit";
  return limits;
}

Rendered render_within_memory(const store::TranscriptViews& views, const std::string& id,
                              const requests::TranscriptQuery& query,
                              net::Clock::time_point deadline, net::AnswerMemory& answers,
                              const net::AnswerMemory::Owner& owner) {
  Rendered rendered = render_transcripts(views, id, query, deadline);
  if (!rendered.due) return rendered;
  auto memory = std::make_shared<net::AnswerMemory::Share>(answers, owner);
  if (memory->resize(rendered.body.size())) {
    rendered.memory = std::move(memory);
  } else {
    std::string().swap(rendered.body);
  }
  return rendered;
}

net::HttpResponse transcript_response(const net::HttpRequest& request, transcript::Format format,
                                      Rendered& rendered) {
  return tagged(request, rendered.tag, [&rendered, format] {
    net::HttpResponse response;
    response.content_type = std::string(transcript::content_type(format));
    response.body = std::move(rendered.body);
    response.memory = std::move(rendered.memory);
    return response;
  });
}

std::optional<net::HttpResponse> refuse_frequent_posts(PostLimits& limits,
                                                       const RequestContext& context) {
  const bool is_client = context.is_client();
  RateLimit& posts = is_client ? limits.of_clients : limits.of_back_ends;
  const int wait = posts.take(context.id, net::Clock::now());
  if (wait == 0) return std::nullopt;
  net::HttpResponse later =
      net::problem(429, "too many posts",
                   std::string("This session gets more posts than posts.per_minute allows") +
                       (is_client ? " for client tokens." : "."));
  later.headers.emplace_back("Retry-After", std::to_string(wait));
  return later;
}

/// On a merger's thread: reading takes milliseconds, which a conversation on the worker would wait.
net::Awaitable<net::Result<requests::PostedBody>> read_body(const ApiServices& api,
                                                            const RequestContext& context) {
  const auto lane = context.request.body.size() > quickly_read_bytes ? store::MergeLane::slow
                                                                     : store::MergeLane::quick;
  const auto call = [&](auto done) {
    api.copies.compute(lane, {"a posted copy", context.share()},
                       [done, &request = context.request, settings = api.settings.get()] {
                         done(requests::read_posted_copy(request.body, settings->posts));
                       });
  };
  co_return co_await net::from_callback<net::Result<requests::PostedBody>>(context.executor(),
                                                                           call);
}

std::optional<net::HttpResponse> refuse_writer(const std::string& writer, bool is_client) {
  if (is_client && writer != "client")
    return net::problem(403, "forbidden", "A client token posts as writer 'client'.");
  const bool own = writer == transcript::relay_writer || writer == transcript::repair_writer;
  if (own || !is_valid_session_id(writer)) {
    return net::problem(400, "invalid value",
                        "writer must be 1 to 128 letters, digits, '_', '-', '.', ':', and not "
                        "'relay' or 'repair': these are Verbatim's own.");
  }
  return std::nullopt;
}

/// The same for all posts of one token.
std::string name_of(const access::TokenClaims& token) {
  return token.id + '\n' + token.user + '\n' + token.session_id + '\n' +
         std::to_string(token.expires_at_s);
}

net::HttpResponse keep_refusal(Log& log, const store::StorageError& failed) {
  if (failed.failure() == store::Failure::not_found) {
    return net::problem(
        404, "not found",
        "There is no such session or attempt, or this credential has no access to it.");
  }
  if (failed.failure() == store::Failure::too_many)
    return net::problem(413, "too large", std::string(failed.what()) + ".");
  return storage_problem(log, failed);
}

/// Stores the copy. One that is there already costs nothing of the token's allowance.
net::Awaitable<net::Result<store::KeptCopy>> keep(const ApiServices& api,
                                                  const RequestContext& context,
                                                  requests::PostedBody body) {
  const bool is_client = context.is_client();
  store::PostedCopy posted;
  posted.session_id = context.id;
  posted.attempt = body.attempt;
  posted.copy = {std::move(body.writer), std::move(body.turns)};
  posted.now = now().wall;
  posted.body = std::move(body.encoded);
  posted.limits = limits_of(api.settings.get()->posts, is_client);
  PostAllowance& allowance = api.post_limits.of_tokens;
  const std::string token = is_client ? name_of(*context.principal.claims) : std::string();
  const PostAllowance::Amount amount{posted.copy.turns.size(), posted.body.size()};
  const bool taken = is_client && allowance.take(token, amount, net::Clock::now());
  if (is_client && !taken)
    posted.limits.nothing_new =
        "this token has reached its limit of posts (posts.client_turns_max, "
        "posts.client_bytes_max)";
  const auto call = [&](auto done) { api.copies.keep_copy(std::move(posted), done); };
  auto kept = co_await from_store<store::KeptCopy>(context, call);
  if (taken && (!kept || !kept->is_new)) allowance.give_back(token, amount);
  if (!kept) co_return net::Refusal(keep_refusal(api.log, kept.error()));
  co_return *kept;
}

/// Merges the copy and stores the outcome before the post is answered, so that a later read shows
/// it, in lists too. If that fails, the copy is still kept, and the merge is made later.
net::Awaitable<net::Result<store::PostOutcome>> merge_kept(const ApiServices& api,
                                                           const RequestContext& context,
                                                           const store::KeptCopy& kept) {
  const auto call = [&](auto done) {
    api.copies.merge_copy(kept, context.id, {"POST /v1/sessions/{id}/transcript", context.share()},
                          done);
  };
  co_return co_await find_in_store<store::PostOutcome>(api, context, call);
}

}  // namespace

net::Awaitable<net::HttpResponse> show_transcript(const ApiServices& api, RequestContext& context) {
  const net::HttpRequest& request = context.request;
  auto asked = requests::read_transcript_query(request);
  if (!asked) co_return std::move(asked).error();
  const requests::TranscriptQuery& query = *asked;
  auto deadline = net::Clock::now() + query.wait;
  using Found = std::optional<store::TranscriptViews>;
  while (true) {
    // Watch first, then look: an end in between notifies the watch.
    const auto ended = api.registry.watch(context.id, context.executor());
    if (api.registry.draining()) deadline = std::min(deadline, net::Clock::now() + wait_of_a_stop);
    {
      const auto render = [id = context.id, query, deadline, owner = owner_of(context),
                           &answers = api.answers](const Found& views) -> std::optional<Rendered> {
        if (!views) return std::nullopt;
        return render_within_memory(*views, id, query, deadline, answers, owner);
      };
      const auto call = [&](auto done) {
        api.sessions.read_transcripts({context.id, query.attempt, query.all_attempts},
                                      {"GET /v1/sessions/{id}/transcript", context.share()},
                                      compute_then<Found>(render, done));
      };
      auto rendered = co_await find_in_store<Rendered>(api, context, call);
      if (!rendered) co_return std::move(rendered).error();
      if (!may_go_on(api, context)())
        co_return unauthorized(request, access::revoked(context.principal));
      if (rendered->due && !rendered->memory) co_return no_memory_for_answer(api, context);
      if (rendered->due) co_return transcript_response(request, query.format, *rendered);
    }
    // A conversation that a full disk has ended notifies before its record is written.
    co_await ended->wait_until(std::min(deadline, net::Clock::now() + transcript_look_interval));
  }
}

net::Awaitable<net::HttpResponse> post_transcript(const ApiServices& api, RequestContext& context) {
  if (auto refused = refuse_frequent_posts(api.post_limits, context)) co_return std::move(*refused);
  auto body = co_await read_body(api, context);
  if (!body) co_return std::move(body).error();
  const bool is_client = context.is_client();
  if (body->writer.empty()) body->writer = is_client ? "client" : "agent";
  if (auto refused = refuse_writer(body->writer, is_client)) co_return std::move(*refused);
  if (auto refused = refuse_secrets(api.ids, {{"writer", body->writer}}))
    co_return std::move(*refused);
  Json skipped = Json::array();
  for (const requests::Skipped& one : body->skipped)
    skipped.push_back({{"index", one.index}, {"why", one.why}});
  auto kept = co_await keep(api, context, *std::move(body));
  if (!kept) co_return std::move(kept).error();
  auto outcome = co_await merge_kept(api, context, *kept);
  if (!outcome) co_return std::move(outcome).error();
  co_return json_response({{"attempt", kept->attempt_number},
                           {"added", outcome->brought.added},
                           {"extended", outcome->brought.extended},
                           {"unchanged", outcome->brought.unchanged},
                           {"turns", outcome->turns},
                           {"complete", outcome->complete},
                           {"skipped", std::move(skipped)}});
}

}  // namespace verbatim::api::handlers
