// The calls of the API that read and fill transcripts. See api.hpp.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/ids.hpp"
#include "server/api/requests/posted_copy.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/router.hpp"
#include "server/relay/access/token_judgement.hpp"
#include "server/relay/session_driver.hpp"
#include "server/store/merge_upkeep.hpp"

namespace verbatim::server {

namespace {

constexpr auto transcript_look_interval = std::chrono::seconds(1);

/// Of what all writers of an attempt may post, client tokens can use so much: the rest is their
/// back end's, whatever its clients do.
constexpr std::size_t clients_part_of_posts = 2;

/// To read a longer one takes tens of milliseconds.
constexpr std::size_t quickly_read_bytes = 256 * 1024;

/// A transcript, rendered where it was read: what waits for the connection is one text, whose
/// memory is counted.
struct Rendered {
  bool due = false;  ///< false: it is not the time for an answer yet, and nothing was rendered
  std::string body;
  std::string tag;
  std::shared_ptr<AnswerMemory::Share> memory;  ///< null: there is no room for it
};

std::optional<Rendered> render_transcript(storage::TranscriptStore& store, const std::string& id,
                                          const TranscriptQuery& query,
                                          Clock::time_point deadline) {
  std::vector<session::TranscriptView> found;
  if (query.all_attempts) {
    auto all = store.transcripts(id);
    if (!all) return std::nullopt;
    found = std::move(*all);
  } else {
    auto one = store.transcript(id, query.attempt);
    if (!one) return std::nullopt;
    found.push_back(std::move(*one));
  }
  Rendered rendered;
  const bool is_final = !found.empty() && found.back().status == session::SessionStatus::final;
  rendered.due = is_final || Clock::now() >= deadline;
  if (!rendered.due) return rendered;
  rendered.body = query.all_attempts ? session::render(id, found, query.format)
                                     : session::render(found.front(), query.format);
  rendered.tag = tag_of(rendered.body);
  return rendered;
}

storage::CopyLimits limits_of(const config::Posts& settings, bool is_client) {
  storage::CopyLimits limits{settings.copies_max, settings.attempt_turns_max,
                             settings.attempt_bytes_max};
  if (!is_client) return limits;
  for (std::size_t* const one : {&limits.copies_max, &limits.turns_max, &limits.bytes_max})
    *one = std::max<std::size_t>(1, *one / clients_part_of_posts);
  limits.of = " for client tokens, which get at most half of the limit";
  return limits;
}

/// The same for all that one token posts.
std::string name_of(const TokenClaims& token) {
  return token.id + '\n' + token.user + '\n' + token.session_id + '\n' +
         std::to_string(token.expires_at_s);
}

}  // namespace

Awaitable<HttpResponse> Api::show_transcript(Context& context) {
  const HttpRequest& request = context.request;
  auto asked = read_transcript_query(request);
  if (!asked) co_return std::move(asked).error();
  const auto& query = *asked;
  const auto deadline = Clock::now() + query.wait;
  using Found = std::optional<Rendered>;
  const auto read = [id = context.id, query, deadline, owner = owner_of(context),
                     &answers = parts_.answers](storage::TranscriptStore& store) -> Found {
    Found found = render_transcript(store, id, query, deadline);
    if (!found || !found->due) return found;
    auto memory = std::make_shared<AnswerMemory::Share>(answers, owner);
    if (memory->resize(found->body.size())) {
      found->memory = std::move(memory);
    } else {
      std::string().swap(found->body);
    }
    return found;
  };
  while (true) {
    // Watch first, look then: what ends in between rings.
    const auto ended = parts_.registry.watch(context.id, context.worker.executor());
    {
      auto result = co_await read_merged<Found>(context, read, "GET /v1/sessions/{id}/transcript");
      if (const auto* error = std::get_if<1>(&result)) co_return storage_problem(*error);
      Found& found = std::get<0>(result);
      if (!found) co_return not_found();
      if (!may_go_on(context)()) co_return unauthorized(request, revoked(context.principal));
      if (found->due && !found->memory) co_return no_memory_for_answer(context);
      if (found->due) {
        co_return tagged(request, found->tag, [&found, &query] {
          HttpResponse response;
          response.content_type = std::string(session::content_type(query.format));
          response.body = std::move(found->body);
          response.memory = std::move(found->memory);
          return response;
        });
      }
    }
    // A conversation that a full disk has ended rings before its record is written.
    co_await ended->wait_until(std::min(deadline, Clock::now() + transcript_look_interval));
  }
}

Awaitable<HttpResponse> Api::post_transcript(Context& context) {
  const bool is_client = context.principal.kind == Principal::Kind::client_token;
  RateLimit& posts = is_client ? posts_of_clients_ : posts_of_back_ends_;
  if (const int wait = posts.take(context.id, Clock::now())) {
    HttpResponse later =
        problem(429, "too many posts",
                std::string("This session gets more posts than posts.per_minute allows") +
                    (is_client ? " for client tokens." : "."));
    later.headers.emplace_back("Retry-After", std::to_string(wait));
    co_return later;
  }
  // Reading takes milliseconds that a conversation on this thread would wait for.
  using Read = Result<PostedBody>;
  const auto judge = [&request = context.request, &limits = parts_.settings.posts](auto&) {
    return read_posted_copy(request.body, limits);
  };
  StoreReader& reader = context.request.body.size() > quickly_read_bytes ? parts_.merger.slow()
                                                                         : parts_.merger.quick();
  auto judged = co_await reader.run<Read>(context.worker.executor(), judge, "a posted copy",
                                          share_of(context));
  if (const auto* error = std::get_if<1>(&judged)) co_return storage_problem(*error);
  Read& read = std::get<0>(judged);
  if (!read) co_return std::move(read).error();
  auto& body = *read;
  if (body.writer.empty()) body.writer = is_client ? "client" : "agent";
  if (is_client && body.writer != "client") {
    co_return problem(403, "forbidden", "A client token posts as writer 'client'.");
  }
  if (body.writer == session::relay_writer || !is_valid_session_id(body.writer)) {
    co_return problem(400, "invalid value",
                      "writer must be 1 to 128 letters, digits, '_', '-', '.', ':', and not "
                      "'relay': that is Verbatim's own copy.");
  }
  if (auto refused = refuse_secrets({{"writer", body.writer}})) co_return std::move(*refused);
  const auto posted = std::make_shared<storage::PostedCopy>();
  posted->session_id = context.id;
  posted->attempt = body.attempt;
  posted->copy = {std::move(body.writer), std::move(body.turns)};
  nlohmann::json skipped = nlohmann::json::array();
  for (const Skipped& one : body.skipped)
    skipped.push_back({{"index", one.index}, {"why", one.why}});
  posted->now = now().wall;
  posted->body = std::move(body.encoded);
  posted->limits = limits_of(parts_.settings.posts, is_client);
  // A copy that is there already costs nothing, and is answered as ever.
  const std::string token = is_client ? name_of(*context.principal.claims) : std::string();
  const PostAllowance::Amount amount{posted->copy.turns.size(), posted->body.size()};
  const bool taken = is_client && client_posts_.take(token, amount, Clock::now());
  if (is_client && !taken)
    posted->limits.nothing_new =
        "this token has reached its limit of posts (posts.client_turns_max, "
        "posts.client_bytes_max)";
  const auto kept = std::make_shared<storage::KeptCopy>();
  std::function<void(storage::Database&)> work = [posted, kept](auto& database) {
    *kept = storage::keep_copy(database, *posted);
  };
  const Changed failed = co_await change(context.worker, std::move(work));
  if (taken && (failed || !kept->is_new)) client_posts_.give_back(token, amount);
  if (failed && failed->failure() == storage::Failure::not_found) {
    co_return problem(
        404, "not found",
        "There is no such session or attempt, or this credential has no access to it.");
  }
  if (failed && failed->failure() == storage::Failure::too_many)
    co_return problem(413, "too large", std::string(failed->what()) + ".");
  if (failed) co_return storage_problem(*failed);
  // Merged and written down before it is answered: whoever reads then sees it, in lists too. If
  // that fails the copy is kept all the same, and the merge is made good later.
  using Outcome = std::optional<storage::PostOutcome>;
  const auto look = [kept = *kept, id = context.id](storage::TranscriptStore& store) {
    return store.outcome_of(kept, id);
  };
  StoreReader& merger = kept->merges_slowly ? parts_.merger.slow() : parts_.merger.quick();
  auto found = co_await merger.run<Outcome>(context.worker.executor(), look,
                                            "POST /v1/sessions/{id}/transcript", share_of(context));
  if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
  const Outcome& outcome = std::get<0>(found);
  if (!outcome) co_return not_found();
  co_await write_down_merge(context.worker.executor(), kept->attempt, merger, parts_.journal,
                            share_of(context));
  co_return json_response({{"attempt", kept->attempt_number},
                           {"added", outcome->brought.added},
                           {"extended", outcome->brought.extended},
                           {"unchanged", outcome->brought.unchanged},
                           {"turns", outcome->turns},
                           {"complete", outcome->complete},
                           {"skipped", std::move(skipped)}});
}

}  // namespace verbatim::server
