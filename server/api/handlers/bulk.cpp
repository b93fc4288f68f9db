// The calls of the API for many sessions at once: erase some, export all that meet a filter.

#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/api/answer_limits.hpp"
#include "server/api/handlers/sessions.hpp"
#include "server/api/requests/erasure.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/session_json.hpp"
#include "server/api/store_access.hpp"
#include "server/net/body_source.hpp"
#include "server/relay/session_eraser.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

using Outcome = relay::Erased::Outcome;

const char* why_left(const ApiServices& api, Outcome outcome) {
  switch (outcome) {
    case Outcome::live:
      return "it is live: end it first";
    case Outcome::not_found:
      return api.shared == nullptr ? "there is no such session"
                                   : "this relay does not have it: erase it by DELETE";
    case Outcome::capture_failure:
      return "its captured events cannot be removed";
    case Outcome::recording_failure:
      return "its recorded audio cannot be removed";
    case Outcome::busy:
    case Outcome::storage_failure:
    case Outcome::erased:
      break;
  }
  return "the relay cannot do this now";
}

/// Sessions of a list with their transcripts, one in a line of JSON.
class ExportStream final : public net::BodySource {
 public:
  ExportStream(const ApiServices& api, store::SessionFilter filter, net::AnswerMemory::Owner owner,
               const net::Executor& executor)
      : api_(api),
        filter_(std::move(filter)),
        memory_(api.answers, std::move(owner)),
        patience_(api.settings.get()->server.request_timeout),
        executor_(executor) {}

  net::Awaitable<std::string> next() override {
    std::string line;
    while (line.empty() && !abandoned_ && !broken_) {
      if (at_ == page_.size()) {
        if (last_) break;
        co_await read_page();
      } else {
        line = co_await read_session(page_[at_++]);
      }
    }
    if (!memory_.resize(line.size())) {
      broken_ = true;
      line.clear();
    }
    co_return line;
  }
  bool broken() const override { return broken_; }
  net::Clock::duration patience() const override { return patience_; }
  void abandon(bool) override { abandoned_ = true; }

 private:
  net::Awaitable<void> read_page() {
    const auto call = [&](auto done) {
      api_.sessions.list_sessions(filter_, {"GET /v1/exports"}, done);
    };
    auto page =
        co_await net::from_callback<store::StoreResult<store::SessionPage>>(executor_, call);
    if (!page) {
      broken_ = true;
      co_return;
    }
    page_ = std::move(page->sessions);
    at_ = 0;
    filter_.cursor = page->next_cursor;
    last_ = filter_.cursor.empty();
  }

  /// Empty: it was erased meanwhile.
  net::Awaitable<std::string> read_session(const store::SessionSummary& session) {
    using Found = std::optional<store::TranscriptViews>;
    using Line = std::optional<std::string>;
    const auto render = [&session, kept = recording_kept(api_.settings.get()->recording)](
                            const Found& views) -> Line {
      if (!views) return std::nullopt;
      Json shown = to_json(session, Detail::whole, kept);
      shown["transcripts"] =
          Json::parse(transcript::render(session.id, *views, transcript::Format::json));
      return dump(shown) + "\n";
    };
    const auto call = [&](auto done) {
      api_.sessions.read_transcripts({session.id, std::nullopt, true}, {"GET /v1/exports"},
                                     compute_then<Found>(render, done));
    };
    auto line = co_await net::from_callback<store::StoreResult<Line>>(executor_, call);
    if (!line) broken_ = true;
    co_return line&&* line ? **std::move(line) : std::string();
  }

  const ApiServices& api_;
  store::SessionFilter filter_;
  net::AnswerMemory::Share memory_;
  net::Clock::duration patience_;
  net::Executor executor_;
  std::vector<store::SessionSummary> page_;
  std::size_t at_ = 0;  ///< in the page
  bool last_ = false;   ///< there is no page behind this one
  bool broken_ = false;
  bool abandoned_ = false;
};

}  // namespace

net::Awaitable<net::HttpResponse> erase_sessions(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_erasure_request(context.request.body);
  if (!asked) co_return std::move(asked).error();
  Json erased = Json::array();
  Json left = Json::array();
  for (const std::string& id : *asked) {
    const relay::Erased one =
        co_await api.erasure.erase(context.executor(), id, relay::Erasure::Why::request,
                                   context.principal.user, config::milliseconds(0));
    if (one.error) co_return storage_problem(api.log, *one.error);
    if (one.outcome == Outcome::erased)
      erased.push_back(id);
    else
      left.push_back({{"id", id}, {"why", why_left(api, one.outcome)}});
  }
  co_return json_response({{"erased", std::move(erased)}, {"left", std::move(left)}});
}

net::Awaitable<net::HttpResponse> export_sessions(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_session_filter(context.request);
  if (!asked) co_return std::move(asked).error();
  if (!asked->question.empty() && api.shared != nullptr) co_return no_search_in_fleet();
  asked->total = false;
  net::HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.source =
      std::make_shared<ExportStream>(api, *std::move(asked), owner_of(context), context.executor());
  co_return response;
}

}  // namespace verbatim::api::handlers
