#include "server/relay/access/admission.hpp"

#include <utility>

#include "server/net/from_callback.hpp"
#include "server/net/proxies.hpp"

namespace verbatim::access {

namespace {

constexpr std::int64_t day_ms = 24LL * 60 * 60 * 1000;

/// Value of Retry-After for a user at the session limit: a session may end any time.
constexpr int sessions_retry_seconds = 10;

net::HttpResponse too_many(const char* code, const std::string& what, std::int64_t retry_s) {
  net::HttpResponse response = net::openai_error(429, code, what);
  response.headers.emplace_back("Retry-After", std::to_string(retry_s));
  return response;
}

}  // namespace

tl::unexpected<NotAdmitted> not_admitted(net::HttpResponse response,
                                         std::optional<AdmissionLimit> limit) {
  return tl::unexpected(NotAdmitted{std::move(response), limit});
}

transcript::Usage UserAccount::add(std::int64_t audio_ms, std::int64_t tokens) {
  transcript::Usage sum;
  sum.input_audio_ms = audio_ms_.fetch_add(audio_ms, std::memory_order_relaxed) + audio_ms;
  sum.total_tokens = tokens_.fetch_add(tokens, std::memory_order_relaxed) + tokens;
  return sum;
}

transcript::Usage UserAccount::used() const {
  transcript::Usage sum;
  sum.input_audio_ms = audio_ms_.load();
  sum.total_tokens = tokens_.load();
  return sum;
}

void UserAccount::open(const transcript::Usage& stored) {
  if (opened_.exchange(true)) return;
  add(stored.audio_ms(), stored.total_tokens);
}

std::optional<NotAdmitted> AdmissionControl::refuse_address(const std::string& address) {
  const int wait_s = connects_.take(net::address_key(address), std::chrono::steady_clock::now());
  if (wait_s == 0) return std::nullopt;
  return NotAdmitted{
      too_many("rate_limit_exceeded",
               "This address connects too often (limits.connects_per_minute). Come back in " +
                   std::to_string(wait_s) + " s.",
               wait_s),
      AdmissionLimit::connects_per_minute};
}

net::Awaitable<AdmissionResult<AdmissionControl::Permit>> AdmissionControl::admit(
    const UserSessions& of, TimeMs now, store::AdmissionStore& store,
    const net::Executor& executor) {
  const auto limits = limits_.get();
  const std::string& user = of.user;
  if (of.by_token) {
    const std::lock_guard lock(mutex_);
    std::size_t& count = sessions_[user];
    if (limits->sessions_per_user != 0 && count + of.waiting >= limits->sessions_per_user) {
      if (count == 0) sessions_.erase(user);
      co_return not_admitted(too_many("too_many_sessions",
                                      "This user has as many conversations at once as "
                                      "allowed (limits.sessions_per_user). End one first.",
                                      sessions_retry_seconds),
                             AdmissionLimit::sessions_per_user);
    }
    ++count;
  }
  Permit permit(this, user, of.by_token);
  if (limits->user_audio_seconds == 0 && limits->user_tokens == 0) co_return std::move(permit);
  const std::int64_t day = now / day_ms;
  // Opened before the store is read, so that a session that ends meanwhile is counted here or
  // there.
  permit.account = account_of(user, day);
  if (!permit.account->opened()) {
    const auto start = [&](auto done) {
      store.read_usage(user, day * day_ms, (day + 1) * day_ms, done);
    };
    const auto stored =
        co_await net::from_callback<store::StoreResult<transcript::Usage>>(executor, start);
    if (!stored) {
      co_return not_admitted(
          net::openai_error(503, "storage_unavailable", "The user's usage cannot be read."));
    }
    permit.account->open(*stored);
  }
  const transcript::Usage used = permit.account->used();
  const auto spent = [](std::int64_t is, std::size_t most, std::int64_t scale) {
    return most != 0 && is >= static_cast<std::int64_t>(most) * scale;
  };
  const bool audio = spent(used.audio_ms(), limits->user_audio_seconds, 1000);
  const bool tokens = spent(used.total_tokens, limits->user_tokens, 1);
  if (!audio && !tokens) co_return std::move(permit);
  co_return not_admitted(too_many(audio ? "audio_seconds_spent" : "tokens_spent",
                                  std::string("This user has used the day's allowance (limits.") +
                                      (audio ? "user_audio_seconds" : "user_tokens") +
                                      "). The next day begins at midnight UTC.",
                                  ((day + 1) * day_ms - now) / 1000 + 1),
                         audio ? AdmissionLimit::user_audio_seconds : AdmissionLimit::user_tokens);
}

std::shared_ptr<UserAccount> AdmissionControl::account_of(const std::string& user,
                                                          std::int64_t day) {
  const std::lock_guard lock(mutex_);
  auto& there = accounts_[{user, day}];
  auto account = there.lock();
  if (!account) there = account = std::make_shared<UserAccount>();
  return account;
}

void AdmissionControl::leave(const std::string& user, bool counted) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(user);
  if (counted && found != sessions_.end() && --found->second == 0) sessions_.erase(found);
  // Remove unused accounts: the next session reads the usage of all ended sessions from the store.
  const auto first = accounts_.lower_bound({user, 0});
  for (auto it = first; it != accounts_.end() && it->first.first == user;)
    it = it->second.expired() ? accounts_.erase(it) : std::next(it);
}

AdmissionControl::Permit::~Permit() {
  account.reset();  // before leave(), which removes unused accounts
  if (keeper_ != nullptr) keeper_->leave(user_, counted_);
}

}  // namespace verbatim::access
