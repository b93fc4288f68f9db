#include "server/fleet/directory/session_homes.hpp"

#include <algorithm>
#include <utility>

#include "base/thread_name.hpp"

namespace verbatim::directory {

using Where = relay::SessionHome::Where;

namespace {

/// Questions that may wait; one more is answered with `unknown`.
constexpr std::size_t waiting_max = 10'000;
/// Questions of one statement.
constexpr std::size_t together_max = 500;
constexpr std::size_t cached_max = 50'000;
/// A home changes only if its process restarts or is gone.
constexpr auto cache_time = std::chrono::seconds(1);
constexpr auto clean_interval = std::chrono::minutes(10);

}  // namespace

SessionHomes::SessionHomes(const config::Fleet& settings, std::function<std::int64_t()> incarnation,
                           Log& log)
    : incarnation_(std::move(incarnation)),
      log_(log),
      connection_(settings, "verbatim sessions"),
      thread_([this] { run(); }) {}

SessionHomes::~SessionHomes() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  connection_.stop();
  changed_.notify_all();
  thread_.join();
  for (const Question& question : waiting_) question.done({});
}

void SessionHomes::find(const std::string& session_id, relay::Purpose purpose,
                        std::function<void(relay::SessionHome)> done) {
  // No session has such an id.
  if (!database::is_storable_text(session_id)) return done({Where::nowhere});
  if (auto home = cached(session_id)) return done(*std::move(home));
  if (down_) return done({});
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && waiting_.size() < waiting_max) {
      waiting_.push_back({session_id, purpose, std::move(done)});
      changed_.notify_all();
      return;
    }
  }
  done({});
}

void SessionHomes::forget(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  cache_.erase(session_id);
}

std::optional<relay::SessionHome> SessionHomes::cached(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  const auto found = cache_.find(session_id);
  if (found == cache_.end() || found->second.until <= Clock::now()) return std::nullopt;
  return found->second.home;
}

void SessionHomes::keep(const Homes& homes) {
  const auto until = Clock::now() + cache_time;
  const std::lock_guard lock(mutex_);
  if (cache_.size() + homes.size() > cached_max) cache_.clear();
  for (const auto& [session_id, home] : homes) cache_[session_id] = {home, until};
}

// --- the thread ---------------------------------------------------------------------------------

void SessionHomes::run() {
  name_this_thread("fleet homes");
  while (true) {
    std::vector<Question> questions = next_questions();
    if (is_stopping()) {
      for (const Question& question : questions) question.done({});
      return;
    }
    if (questions.empty()) {
      if (auto connected = connect(); !connected) report(connected.error());
    } else {
      answer(std::move(questions));
    }
  }
}

bool SessionHomes::is_stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

/// Waits for questions. Empty: the thread must end, or the time has come for another connection.
std::vector<SessionHomes::Question> SessionHomes::next_questions() {
  std::unique_lock lock(mutex_);
  const auto due = [this] { return stopping_ || !waiting_.empty(); };
  if (down_) {
    changed_.wait_until(lock, connection_.connect_at(), due);
  } else {
    changed_.wait(lock, due);
  }
  const std::size_t count = std::min(waiting_.size(), together_max);
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Question> taken(std::make_move_iterator(waiting_.begin()),
                              std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return taken;
}

void SessionHomes::answer(std::vector<Question> questions) {
  const auto homes = ask(questions);
  if (homes) keep(*homes);
  for (Question& question : questions) {
    relay::SessionHome home;
    if (homes) {
      const auto found = homes->find(question.session_id);
      // One that cannot be claimed now may not begin here: its erasure is not followed yet, or this
      // node was fenced.
      const bool may_not_begin = question.purpose == relay::Purpose::begin;
      const Where otherwise = may_not_begin ? Where::unknown : Where::nowhere;
      home = found == homes->end() ? relay::SessionHome{otherwise} : found->second;
    }
    question.done(std::move(home));
  }
}

/// Asks once more over a new connection if the old one turns out to be lost.
database::DatabaseResult<Homes> SessionHomes::ask(const std::vector<Question>& questions) {
  const bool was_open = connection_.is_open();
  auto homes = ask_once(questions);
  if (!homes && was_open) homes = ask_once(questions);
  if (!homes) report(homes.error());
  return homes;
}

database::DatabaseResult<Homes> SessionHomes::ask_once(const std::vector<Question>& questions) {
  const std::int64_t own = incarnation_();
  if (own == 0)
    return database::database_error(database::Trouble::unreachable,
                                    "this relay has not registered yet");
  if (auto connected = connect(); !connected) return tl::unexpected(connected.error());
  auto homes = homes_of(questions, own);
  if (!homes) {
    connection_.close();
  } else if (Clock::now() >= clean_at_) {
    clean_at_ = Clock::now() + clean_interval;
    if (auto cleaned = delete_old_claims(*connection_); !cleaned) report(cleaned.error());
  }
  return homes;
}

database::DatabaseResult<Homes> SessionHomes::homes_of(const std::vector<Question>& questions,
                                                       std::int64_t own) {
  std::vector<std::string> all;
  std::vector<std::string> to_begin;
  for (const Question& question : questions) {
    all.push_back(question.session_id);
    if (question.purpose == relay::Purpose::begin) to_begin.push_back(question.session_id);
  }
  if (!to_begin.empty()) {
    // Two nodes that claim the same ids in one order wait for each other, and never both.
    std::sort(to_begin.begin(), to_begin.end());
    if (auto claimed = claim(*connection_, to_begin, own); !claimed)
      return tl::unexpected(std::move(claimed.error()));
  }
  return find_homes(*connection_, all, own);
}

database::DatabaseResult<> SessionHomes::connect() {
  auto connected = connection_.connect();
  down_ = !connected;
  return connected;
}

void SessionHomes::report(const database::DatabaseError& error) {
  const LineLimit::Verdict verdict = trouble_line_.take(Clock::now());
  if (!verdict.write) return;
  log_.warn("fleet.homes_unknown", {{"kind", database::to_string(error.trouble)},
                                    {"why", error.message},
                                    {"left_out", verdict.left_out},
                                    {"now", "clients of other relays' sessions get 503"}});
}

}  // namespace verbatim::directory
