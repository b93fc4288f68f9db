// The call of the API that shows a list of sessions live.
#include <chrono>
#include <map>

#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/api/authorize.hpp"
#include "server/api/handlers/sessions.hpp"
#include "server/api/live_feed.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/responses.hpp"
#include "server/api/session_json.hpp"
#include "server/api/store_access.hpp"
#include "server/net/body_source.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api::handlers {

namespace {

/// Server-Sent Events: the sessions of a page that are new or have changed since the last look, and
/// the ids of those that are no longer there.
class LiveList final : public net::BodySource {
 public:
  LiveList(const ApiServices& api, std::unique_ptr<LiveFeed::Permit> permit,
           store::SessionFilter filter, std::function<bool()> may_watch,
           const net::Executor& executor)
      : api_(api),
        permit_(std::move(permit)),
        filter_(std::move(filter)),
        may_watch_(std::move(may_watch)),
        executor_(executor),
        pause_(executor),
        ends_at_(net::Clock::now() + api.feed.settings().connection_max) {}

  net::Awaitable<std::string> next() override {
    if (!begun_) {
      begun_ = true;
      co_return std::string("retry: 1000\n\n");
    }
    const auto heartbeat_at = net::Clock::now() + api_.feed.settings().heartbeat;
    while (!abandoned_ && may_watch_() && !api_.feed.closed() && net::Clock::now() < ends_at_) {
      if (looked_) co_await pause_.wait_until(net::Clock::now() + list_interval());
      if (abandoned_) break;
      std::string changes = co_await look();
      if (!changes.empty()) co_return changes;
      if (net::Clock::now() >= heartbeat_at) co_return std::string(":\n\n");
    }
    co_return std::string();
  }
  net::Clock::duration patience() const override { return api_.feed.settings().write_timeout; }
  void abandon(bool slow) override {
    if (slow) ++api_.feed.counts().dropped;
    abandoned_ = true;
    pause_.notify();
  }

 private:
  net::Clock::duration list_interval() const { return api_.feed.settings().list_interval; }

  net::Awaitable<std::string> look() {
    const bool first = !std::exchange(looked_, true);
    using Shown = std::vector<std::pair<std::string, std::string>>;  // id, JSON
    const auto render =
        [kept = recording_kept(api_.settings.get()->recording)](const store::SessionPage& page) {
          Shown shown;
          for (const store::SessionSummary& one : page.sessions)
            shown.emplace_back(one.id, json_response(to_json(one, Detail::listed, kept)).body);
          return shown;
        };
    const auto call = [&](auto done) {
      api_.sessions.list_sessions(filter_, {"GET /v1/live"},
                                  compute_then<store::SessionPage>(render, done));
    };
    auto shown = co_await net::from_callback<store::StoreResult<Shown>>(executor_, call);
    std::string out;
    if (!shown) co_return out;  // the next look may succeed
    std::map<std::string, std::string> tags;
    for (auto& [id, body] : *shown) {
      std::string tag = tag_of(body);
      const auto known = known_.find(id);
      if (known == known_.end() || known->second != tag) add(out, "session", body);
      tags.emplace(id, std::move(tag));
    }
    for (const auto& [id, tag] : known_)
      if (!tags.contains(id)) add(out, "gone", json_response({{"id", id}}).body);
    known_ = std::move(tags);
    if (first) add(out, "ready", "{}");
    co_return out;
  }

  void add(std::string& out, const char* name, std::string_view data) {
    if (data.ends_with('\n')) data.remove_suffix(1);
    out.append("event: ").append(name).append("\ndata: ").append(data).append("\n\n");
    ++api_.feed.counts().events;
  }

  const ApiServices& api_;
  std::unique_ptr<LiveFeed::Permit> permit_;
  store::SessionFilter filter_;
  std::function<bool()> may_watch_;
  net::Executor executor_;
  net::AsyncEvent pause_;
  net::Clock::time_point ends_at_;
  std::map<std::string, std::string> known_;  ///< id -> tag of what the subscriber has
  bool begun_ = false;
  bool looked_ = false;
  bool abandoned_ = false;
};

}  // namespace

net::Awaitable<net::HttpResponse> watch_sessions(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_session_filter(context.request);
  if (!asked) co_return std::move(asked).error();
  if (!asked->question.empty() && api.shared != nullptr) co_return no_search_in_fleet();
  asked->total = false;
  auto permit = api.feed.admit("");  // all lists count together
  if (!permit) co_return too_many_watchers(permit.error());
  net::HttpResponse response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.source = std::make_shared<LiveList>(api, *std::move(permit), *std::move(asked),
                                               may_go_on(api, context), context.executor());
  co_return response;
}

}  // namespace verbatim::api::handlers
