#include "server/relay/session_eraser.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/metric_family.hpp"

namespace verbatim::relay {

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

/// The text and the audio of an erased session on their way out of all files and buckets.
class Erasure::Departure {
 public:
  Departure(net::Executor executor, std::string id, Log& log)
      : executor_(std::move(executor)), changed_(executor_), id_(std::move(id)), log_(log) {}

  /// Any thread.
  static void over(const std::shared_ptr<Departure>& one, Gone what) {
    (what == Gone::objects ? one->objects_gone_ : one->text_gone_) = true;
    if (!one->objects_gone_ || !one->text_gone_) return;
    if (one->state_.exchange(State::over) == State::late)
      one->log_.info("erasure.complete", {{"session", one->id_}});
    asio::post(one->executor_, [one] { one->changed_.notify(); });
  }
  /// Returns whether it is over. If not, its end will be logged.
  net::Awaitable<bool> wait(config::milliseconds patience) {
    const auto deadline = net::Clock::now() + patience;
    while (state_ == State::waited_for && net::Clock::now() < deadline)
      co_await changed_.wait_until(deadline);
    State awaited = State::waited_for;
    co_return !state_.compare_exchange_strong(awaited, State::late);
  }
  bool text_gone() const { return text_gone_; }
  bool objects_gone() const { return objects_gone_; }

 private:
  enum class State { waited_for, late, over };
  const net::Executor executor_;
  net::AsyncEvent changed_;
  const std::string id_;
  Log& log_;
  std::atomic<State> state_{State::waited_for};
  std::atomic<bool> text_gone_{false};
  std::atomic<bool> objects_gone_{false};
};

net::Awaitable<Erased> Erasure::erase(net::Executor executor, const std::string& id, Why why,
                                      const std::string& by, config::milliseconds patience) {
  Erased result;
  // The id is reserved, so that the session cannot be opened while it is erased.
  const Admission admission = co_await reserve_session(executor, id, why);
  if (admission != Admission::admitted) {
    result.outcome = admission == Admission::busy ? Erased::Outcome::live : Erased::Outcome::busy;
    co_return result;
  }
  const auto departure = std::make_shared<Departure>(executor, id, log_);
  const auto begin = [&](auto done) {
    remove(id, true, done, [departure](Gone what) { Departure::over(departure, what); });
  };
  result = co_await net::from_callback<Erased>(executor, begin);
  if (result.outcome == Erased::Outcome::erased) suspended_.forget(id);
  registry_.release(id);
  if (result.outcome != Erased::Outcome::erased) co_return result;
  ++(why == Why::request ? by_request_ : by_retention_);
  log_.info("session.erased", {{"session", id}, {"by", by}});
  if (patience.count() == 0) co_return result;
  const bool over = co_await departure->wait(patience);
  result.gone = over || departure->text_gone();
  result.objects_gone = over || departure->objects_gone();
  if (!result.gone)
    log_.warn("erasure.pending", {{"session", id},
                                  {"why", "another process reads the files, or the disk is slow"},
                                  {"now", "the text leaves the files as soon as that ends"}});
  if (!result.objects_gone)
    log_.warn("erasure.pending", {{"session", id},
                                  {"why", "the bucket still has recorded audio"},
                                  {"now", "its removal is tried until it succeeds"}});
  co_return result;
}

void Erasure::remove(const std::string& id, bool stored, std::function<void(Erased)> done,
                     std::function<void(Gone)> gone) {
  const auto over = [this, id, done = std::move(done)](Erased result) {
    for (AudioSender* const sender : senders_) sender->release(id);
    done(std::move(result));
  };
  hold_from(0, id, [this, id, stored, over, gone = std::move(gone)] {
    remove_unsent(id, stored, over, gone);
  });
}

void Erasure::hold_from(std::size_t sender, const std::string& id, std::function<void()> held) {
  if (sender == senders_.size()) return held();
  senders_[sender]->hold(
      id, [this, sender, id, held = std::move(held)] { hold_from(sender + 1, id, held); });
}

/// The result is how many objects are not removed yet.
void Erasure::remove_objects(const std::string& id, std::function<void(Gone)> gone,
                             std::function<void(store::StoreResult<std::int64_t>)> done) {
  if (remote_ == nullptr) {
    gone(Gone::objects);
    return done(0);
  }
  const auto given_up = [this, id, gone = std::move(gone),
                         done = std::move(done)](store::StoreResult<std::int64_t> left) {
    if (left) remote_->when_removed(id, [gone] { gone(Gone::objects); });
    done(std::move(left));
  };
  remote_->give_up(id, std::nullopt, given_up);
}

/// The same once nothing of it is being sent.
void Erasure::remove_unsent(const std::string& id, bool stored, std::function<void(Erased)> done,
                            std::function<void(Gone)> gone) {
  const auto erase_stored = [this, id, done, gone](std::int64_t objects) {
    const auto erased = [done, gone, objects](store::StoreResult<bool> outcome) {
      if (!outcome) return done({Erased::Outcome::storage_failure, false, true, outcome.error()});
      if (*outcome || objects == 0)
        return done({*outcome ? Erased::Outcome::erased : Erased::Outcome::not_found});
      // It was erased before, and a bucket still has audio of it.
      gone(Gone::text);
      done({Erased::Outcome::erased});
    };
    sessions_.erase_session(id, {now().wall, resume_window_.load().count()}, erased,
                            [gone] { gone(Gone::text); });
  };
  const auto recording_removed = [this, id, stored, done, erase_stored](bool removed,
                                                                        std::int64_t objects) {
    if (!removed) {
      log_.error("recording.not_erased", {{"session", id}, {"now", "its record was not erased"}});
      return done({Erased::Outcome::recording_failure});
    }
    stored ? erase_stored(objects) : done({Erased::Outcome::not_found});
  };
  const auto objects_noted = [this, id, done,
                              recording_removed](store::StoreResult<std::int64_t> objects) {
    if (!objects) return done({Erased::Outcome::storage_failure, false, true, objects.error()});
    const auto removed = [recording_removed, count = *objects](bool all) {
      recording_removed(all, count);
    };
    recordings_ ? recordings_->erase(id, removed) : removed(true);
  };
  const auto captured_removed = [this, id, done, gone, objects_noted](bool removed) {
    if (!removed) {
      log_.error("capture.not_erased", {{"session", id}, {"now", "nothing of it was erased"}});
      return done({Erased::Outcome::capture_failure});
    }
    remove_objects(id, gone, objects_noted);
  };
  capture_ ? capture_->erase(id, captured_removed) : captured_removed(true);
}

/// A final session may still be closing its connections; a request waits for that. The search for
/// old sessions does not wait, since it comes again.
net::Awaitable<Admission> Erasure::reserve_session(net::Executor executor, const std::string& id,
                                                   Why why) {
  const auto deadline =
      net::Clock::now() + (why == Why::request ? closing_max_.load() : milliseconds(0));
  while (true) {
    const auto changed = registry_.watch(id, executor);
    const Admission admission = registry_.reserve(id);
    if (admission != Admission::busy || net::Clock::now() >= deadline) co_return admission;
    if (co_await registry_.goes_on(id, executor)) co_return admission;
    co_await changed->wait_until(deadline);
  }
}

net::Awaitable<void> Erasure::keep_for_retention(net::Executor executor,
                                                 const config::LiveSettings& settings) {
  net::AsyncEvent changed(executor);
  retention_changed_ = &changed;
  while (true) {
    const milliseconds retention = settings.get()->storage.retention;
    auto next = net::Clock::time_point::max();
    if (retention.count() > 0) {
      co_await erase_ended_before(executor, now().wall - retention.count());
      next = net::Clock::now() + std::clamp(retention / 10, look_interval_min, look_interval_max);
    }
    co_await changed.wait_until(next);
  }
}

net::Awaitable<void> Erasure::erase_ended_before(net::Executor executor, TimeMs time) {
  using Ids = std::vector<std::string>;
  const auto start = [&](auto done) {
    sessions_.sessions_ended_before(time, erased_at_a_look_max, {"the retention"}, done);
  };
  const auto found = co_await net::from_callback<store::StoreResult<Ids>>(executor, start);
  if (!found) {
    log_.warn("retention.postponed", {{"why", found.error().what()}});
    co_return;
  }
  std::size_t count = 0;
  const std::string by = "storage.retention";
  for (const std::string& id : *found) {
    const Erased one = co_await erase(executor, id, Why::retention, by, milliseconds(0));
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

}  // namespace verbatim::relay
