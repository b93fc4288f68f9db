#include "server/relay/session_eraser.hpp"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "server/relay/metric_family.hpp"
#include "server/relay/session_driver.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/store/client_tokens.hpp"

namespace verbatim::server {

namespace {

using config::milliseconds;

/// Interval of the search: a tenth of the retention, which is the longest delay of an erasure.
/// Bounded, for short tests and to avoid needless searches.
constexpr milliseconds look_interval_min{1'000};
constexpr milliseconds look_interval_max{600'000};

/// Limit of one search; the next search continues.
constexpr std::size_t erased_at_a_look_max = 500;

/// Since the start.
struct ErasureCounts {
  std::uint64_t by_request;
  std::uint64_t by_retention;
};

constexpr MetricFamily<ErasureCounts> erasure_rows[] = {
    {"verbatim_sessions_erased_total", "Sessions erased, by request or by retention.",
     MetricType::counter,
     [](const ErasureCounts& counts, MetricSamples& out) {
       out.add({{"by", "request"}}, counts.by_request);
       out.add({{"by", "retention"}}, counts.by_retention);
     }},
};

}  // namespace

Awaitable<Erased> Erasure::erase(Executor executor, const std::string& id, Why why,
                                 const std::string& by) {
  Erased result;
  // The id is reserved, so that the session cannot be opened while it is erased.
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

/// Removes the captured stream first: if the process ends in between, or it cannot be removed, the
/// session can still be found and erased again.
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
          // Expired tokens that were valid for this session alone.
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

/// A final session may still be closing its connections; a request waits for that. The search for
/// old sessions does not wait, since it comes again.
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

void Erasure::add_metrics(MetricsPage& page) const {
  page.add(erasure_rows, ErasureCounts{by_request_, by_retention_});
}

bool erase_beside_server(storage::Database& database, const std::string& id) {
  {
    // Begin with a write: a transaction that begins with a read may be unable to write later.
    storage::Transaction transaction(database);
    storage::erase_session(database, id);
    transaction.commit();
  }
  // SQLite waits for readers, but not for the checkpoint of another process.
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
