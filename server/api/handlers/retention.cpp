// The calls of the API that show the retention of sessions and apply it at once.

#include "server/api/requests/retention.hpp"
#include "base/clock.hpp"
#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"
#include "server/api/handler.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/relay/session_eraser.hpp"

namespace verbatim::api::handlers {

namespace {

/// Sessions that one call erases at most; the caller repeats the call while `more` is true.
constexpr std::size_t erased_at_once_max = 100;
constexpr std::chrono::seconds erasing_at_once{5};
/// Sessions above it are not counted.
constexpr std::size_t due_counted_max = 1'000;

Json duration_or_null(config::milliseconds age) {
  return age.count() > 0 ? Json(config::print_duration(age)) : Json(nullptr);
}

/// Sessions that ended longer ago than `age`, at most `limit`.
net::Awaitable<net::Result<std::vector<std::string>>> ended_longer_ago(
    const ApiServices& api, const RequestContext& context, config::milliseconds age,
    std::size_t limit) {
  const TimeMs before = now().wall - age.count();
  const auto call = [&](auto done) {
    api.sessions.sessions_ended_before(before, limit, {"the retention"}, done);
  };
  co_return co_await ask_store<std::vector<std::string>>(api, context, call);
}

net::Awaitable<net::HttpResponse> count_due(const ApiServices& api, const RequestContext& context,
                                            config::milliseconds age) {
  auto due = co_await ended_longer_ago(api, context, age, due_counted_max + 1);
  if (!due) co_return std::move(due).error();
  co_return json_response({{"retention", duration_or_null(api.settings.get()->storage.retention)},
                           {"older_than", duration_or_null(age)},
                           {"due", std::min(due->size(), due_counted_max)},
                           {"due_is_exact", due->size() <= due_counted_max}});
}

}  // namespace

net::Awaitable<net::HttpResponse> show_retention(const ApiServices& api, RequestContext& context) {
  const config::milliseconds age = api.settings.get()->storage.retention;
  if (age.count() == 0)
    co_return json_response(
        {{"retention", nullptr}, {"older_than", nullptr}, {"due", 0}, {"due_is_exact", true}});
  co_return co_await count_due(api, context, age);
}

net::Awaitable<net::HttpResponse> apply_retention(const ApiServices& api, RequestContext& context) {
  auto asked = requests::read_retention_request(context.request.body);
  if (!asked) co_return std::move(asked).error();
  const config::milliseconds age =
      asked->older_than.value_or(api.settings.get()->storage.retention);
  if (age.count() == 0)
    co_return net::problem(400, "invalid value",
                           "storage.retention is 0s: sessions are kept for ever. Name an age with "
                           "'older_than'.");
  if (asked->dry_run) co_return co_await count_due(api, context, age);
  auto due = co_await ended_longer_ago(api, context, age, erased_at_once_max + 1);
  if (!due) co_return std::move(due).error();
  const auto until = net::Clock::now() + erasing_at_once;
  std::size_t erased = 0;
  std::size_t looked_at = 0;
  Json left = Json::array();
  for (const std::string& id : *due) {
    if (looked_at == erased_at_once_max || net::Clock::now() >= until) break;
    ++looked_at;
    const relay::Erased one =
        co_await api.erasure.erase(context.executor(), id, relay::Erasure::Why::request,
                                   context.principal.user, config::milliseconds(0));
    if (one.outcome == relay::Erased::Outcome::erased) ++erased;
    if (one.error) co_return storage_problem(api.log, *one.error);
    const bool kept = one.outcome != relay::Erased::Outcome::erased &&
                      one.outcome != relay::Erased::Outcome::not_found;
    if (kept) left.push_back(id);
  }
  // `more` needs an erasure: sessions that cannot be erased now would otherwise be found by every
  // call.
  co_return json_response({{"older_than", duration_or_null(age)},
                           {"erased", erased},
                           {"left", std::move(left)},
                           {"more", erased > 0 && looked_at < due->size()}});
}

}  // namespace verbatim::api::handlers
