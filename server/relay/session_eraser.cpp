#include "server/relay/session_eraser.hpp"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "server/relay/session_driver.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/store/client_tokens.hpp"

namespace verbatim::server {

namespace {

using config::milliseconds;

/// A tenth of the retention: nothing stays more than that longer than was promised. Between bounds,
/// so that tests need not wait and a long retention is not looked at for nothing.
constexpr milliseconds look_interval_min{1'000};
constexpr milliseconds look_interval_max{600'000};

/// Read at a time; the rest has the next look.
constexpr std::size_t erased_at_a_look_max = 500;

}  // namespace

Awaitable<Erased> Erasure::erase(Executor executor, const std::string& id, Why why,
                                 const std::string& by) {
  Erased result;
  // The place is taken meanwhile, so that nobody opens the session that is being erased.
  const Admission admission = co_await take_place(executor, id, why);
  if (admission != Admission::admitted) {
    result.outcome = admission == Admission::busy ? Erased::Outcome::live : Erased::Outcome::busy;
    co_return result;
  }
  result = co_await erase_in_place(executor, id);
  registry_.release(id);
  if (result.outcome == Erased::Outcome::erased) {
    ++(why == Why::request ? by_request_ : by_retention_);
    log_.info("session.erased", {{"session", id}, {"by", by}});
  }
  co_return result;
}

/// The captured stream first: if we die in between, or it cannot be removed, the session can still
/// be found and erased again.
Awaitable<Erased> Erasure::erase_in_place(Executor executor, const std::string& id) {
  Erased result;
  if (capture_) {
    const auto begin = [this, id](auto done) { capture_->erase(id, done); };
    if (!co_await from_callback<bool>(executor, begin)) {
      log_.error("capture.not_erased", {{"session", id}, {"now", "nothing of it was erased"}});
      result.outcome = Erased::Outcome::capture_failure;
      co_return result;
    }
  }
  const auto found = std::make_shared<bool>(false);
  using Failed = std::optional<storage::StorageError>;
  const auto start = [this, id, found](auto done) {
    journal_.execute(
        [id, found, at = now().wall, window = resume_window_.count()](storage::Database& database) {
          *found = storage::erase_session(database, id);
          // Expired ones that were good for this session alone.
          if (*found) storage::prune_client_tokens(database, at, window);
        },
        [done](const storage::StorageError* error) mutable {
          done(error ? Failed(*error) : Failed());
        });
  };
  result.error = co_await from_callback<Failed>(executor, start);
  if (result.error) {
    result.outcome = Erased::Outcome::storage_failure;
  } else if (*found) {
    result.outcome = Erased::Outcome::erased;
  }
  co_return result;
}

/// A session that reads as final may still be closing its connections: whoever asks then need not
/// ask again. What is too old is looked at again anyway.
Awaitable<Admission> Erasure::take_place(Executor executor, const std::string& id, Why why) {
  const auto deadline = Clock::now() + (why == Why::request ? closing_max_ : milliseconds(0));
  while (true) {
    const auto changed = registry_.watch(id, executor);
    const Admission admission = registry_.admit(id);
    if (admission != Admission::busy || Clock::now() >= deadline) co_return admission;
    if (co_await registry_.goes_on(id, executor)) co_return admission;
    co_await changed->wait_until(deadline);
  }
}

Awaitable<void> Erasure::keep_for(Executor executor, milliseconds retention) {
  Timer timer(executor);
  const auto interval = std::clamp(retention / 10, look_interval_min, look_interval_max);
  while (true) {
    const TimeMs before = now().wall - retention.count();
    co_await erase_ended_before(executor, before);
    timer.expires_after(interval);
    co_await timer.async_wait(use_tuple);
  }
}

Awaitable<void> Erasure::erase_ended_before(Executor executor, TimeMs time) {
  using Ids = std::vector<std::string>;
  const auto read = [time](storage::TranscriptStore& store) {
    return store.ended_before(time, erased_at_a_look_max);
  };
  auto found = co_await reader_.run<Ids>(executor, read, "the retention");
  if (const auto* error = std::get_if<1>(&found)) {
    log_.warn("retention.postponed", {{"why", error->what()}});
    co_return;
  }
  std::size_t count = 0;
  const std::string by = "storage.retention";
  for (const std::string& id : std::get<0>(found)) {
    const Erased one = co_await erase(executor, id, Why::retention, by);
    if (one.outcome == Erased::Outcome::erased) ++count;
    if (one.outcome == Erased::Outcome::busy) break;
    if (one.error) {
      log_.warn("retention.postponed", {{"why", one.error->what()}});
      break;
    }
  }
  if (count > 0) log_.info("retention.erased", {{"sessions", count}});
}

bool erase_beside_server(storage::Database& database, const std::string& id) {
  {
    // To write from the first: what begins by reading may find that it cannot write any more.
    storage::Transaction transaction(database);
    storage::erase_session(database, id);
    transaction.commit();
  }
  // SQLite waits for readers, but not for another's checkpoint.
  constexpr std::chrono::seconds patience{10};
  constexpr std::chrono::milliseconds pause{20};
  const auto deadline = Clock::now() + patience;
  while (!database.checkpoint(storage::Database::Checkpoint::truncate)) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
  }
  return true;
}

}  // namespace verbatim::server
