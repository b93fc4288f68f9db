#include "server/fleet/tokens/fleet_tokens.hpp"

#include <utility>

#include "base/thread_name.hpp"
#include "server/fleet/database/store_call.hpp"
#include "server/fleet/tokens/token_queries.hpp"

namespace verbatim::tokens {

using database::DatabaseResult;
using database::StoreCall;

namespace {

/// Requests that may wait; one more is answered with `unknown`.
constexpr std::size_t waiting_max = 10'000;
/// Followed revocations that are remembered. Following one twice changes nothing.
constexpr std::size_t known_max = 100'000;
constexpr std::chrono::milliseconds look_interval{500};
constexpr std::chrono::seconds store_patience{10};

}  // namespace

FleetTokens::FleetTokens(FleetTokenParts parts)
    : parts_(std::move(parts)),
      connection_(parts_.settings, "verbatim tokens"),
      thread_([this] { run(); }) {}

FleetTokens::~FleetTokens() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  connection_.stop();
  changed_.notify_all();
  thread_.join();
  for (const Request& request : waiting_) request.done(TokenRecord::unknown);
}

void FleetTokens::bring(const std::string& id, std::function<void(TokenRecord)> done) {
  ask({id, std::nullopt, std::move(done)});
}

void FleetTokens::revoke(const std::string& id, TimeMs at, std::function<void(TokenRecord)> done) {
  ask({id, at, std::move(done)});
}

void FleetTokens::ask(Request request) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && waiting_.size() < waiting_max) {
      waiting_.push_back(std::move(request));
      changed_.notify_all();
      return;
    }
  }
  request.done(TokenRecord::unknown);
}

// --- the thread ---------------------------------------------------------------------------------

void FleetTokens::run() {
  name_this_thread("fleet tokens");
  std::vector<Request> requests;
  while (next(requests)) {
    if (auto connected = connection_.connect(); !connected) report(connected.error());
    for (const Request& request : requests) answer(request);
    if (Clock::now() < look_at_ || !connection_.is_open()) continue;
    look_at_ = Clock::now() + look_interval;
    if (auto done = follow_revocations(); !done) lose_connection(done.error());
  }
  for (const Request& request : requests) request.done(TokenRecord::unknown);
}

bool FleetTokens::next(std::vector<Request>& requests) {
  requests.clear();
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, look_interval, [this] { return stopping_ || !waiting_.empty(); });
  requests.swap(waiting_);
  return !stopping_;
}

/// Asks once more over a new connection if the old one turns out to be lost.
void FleetTokens::answer(const Request& request) {
  const auto try_once = [&]() -> DatabaseResult<TokenRecord> {
    if (auto connected = connection_.connect(); !connected)
      return tl::unexpected(std::move(connected.error()));
    auto found =
        request.revoked_at ? revoke_now(request.id, *request.revoked_at) : bring_now(request.id);
    if (!found) connection_.close();
    return found;
  };
  const bool was_open = connection_.is_open();
  auto found = try_once();
  if (!found && was_open) found = try_once();
  if (!found) lose_connection(found.error());
  request.done(found ? *found : TokenRecord::unknown);
}

DatabaseResult<FleetTokens::TokenRecord> FleetTokens::bring_now(const std::string& id) {
  auto token = find_token(*connection_, id);
  if (!token) return tl::unexpected(std::move(token.error()));
  if (!*token) return TokenRecord::nowhere;
  store::MovedSession record;  // without a session: its tokens alone
  record.content.tokens.push_back(**std::move(token));
  StoreCall<bool> import(
      [&](auto done) { parts_.moving.import_session(std::move(record), std::move(done)); });
  const auto imported = import.wait(store_patience);
  if (!imported) return tl::unexpected(imported.error());
  return TokenRecord::here;
}

DatabaseResult<FleetTokens::TokenRecord> FleetTokens::revoke_now(const std::string& id, TimeMs at) {
  auto known = revoke_token(*connection_, id, at);
  if (!known) return tl::unexpected(std::move(known.error()));
  return *known ? TokenRecord::here : TokenRecord::nowhere;
}

DatabaseResult<> FleetTokens::follow_revocations() {
  const bool all = !all_followed_;
  std::string after;
  while (true) {
    const auto revoked = find_revoked(*connection_, all, after);
    if (!revoked) return tl::unexpected(revoked.error());
    for (const std::string& id : *revoked) {
      if (known_.contains(id)) continue;
      StoreCall<void> revoking([&](auto done) { parts_.revoke_here(id, std::move(done)); });
      if (const auto done = revoking.wait(store_patience); !done) return done;
      if (known_.size() >= known_max) known_.clear();
      known_.insert(id);
    }
    if (revoked->size() < static_cast<std::size_t>(revoked_at_once)) break;
    after = revoked->back();
  }
  all_followed_ = true;
  return {};
}

void FleetTokens::lose_connection(const database::DatabaseError& error) {
  connection_.close_and_pause(error);
  all_followed_ = false;
  report(error);
}

void FleetTokens::report(const database::DatabaseError& error) {
  const LineLimit::Verdict verdict = trouble_line_.take(Clock::now());
  if (!verdict.write) return;
  parts_.log.warn("fleet.tokens_unknown",
                  {{"kind", database::to_string(error.trouble)},
                   {"why", error.message},
                   {"left_out", verdict.left_out},
                   {"now",
                    "tokens of other relays get 503 if they carry settings, and their "
                    "revocations are not known here"}});
}

}  // namespace verbatim::tokens
