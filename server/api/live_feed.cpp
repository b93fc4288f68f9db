#include "server/api/live_feed.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/net/from_callback.hpp"
#include "server/relay/metric_family.hpp"

namespace verbatim::api {

namespace {

using store::TailKey;
using States = std::vector<std::pair<TailKey, std::shared_ptr<const store::TailState>>>;

/// The pause between two looks while the store cannot be read.
constexpr auto trouble_interval = std::chrono::seconds(1);

struct FeedSource {
  std::size_t watchers;
  const FeedCounts& counts;
};

constexpr relay::MetricFamily<FeedSource> feed_rows[] = {
    {"verbatim_watchers", "Current number of event-stream subscribers.", relay::MetricType::gauge,
     [](const FeedSource& feed, relay::MetricSamples& out) { out.add(feed.watchers); }},
    {"verbatim_watchers_shut_out_total",
     "Event-stream subscribers refused at a limit, or disconnected because they were too slow.",
     relay::MetricType::counter,
     [](const FeedSource& feed, relay::MetricSamples& out) {
       out.add({{"why", "limit"}}, feed.counts.refused.load());
       out.add({{"why", "slow"}}, feed.counts.dropped.load());
     }},
    {"verbatim_watcher_events_total", "Events written to event-stream subscribers.",
     relay::MetricType::counter,
     [](const FeedSource& feed, relay::MetricSamples& out) { out.add(feed.counts.events.load()); }},
};

}  // namespace

/// Wakes the feed's loop: when the journal moves, when it is notified, or at a deadline.
class LiveFeed::Gate final : public relay::JournalWaiter {
 public:
  explicit Gate(relay::Worker& worker)
      : worker_(worker), event_(std::make_shared<net::AsyncEvent>(worker.executor())) {}
  void journal_moved() override { event_->notify(); }

  /// Until the journal has moved on from `seen`, or notify() is called.
  net::Awaitable<void> news(const transcript::Journal& journal, transcript::Sequence seen) {
    if (journal.durable() != seen) co_return;
    worker_.await_journal(*this);
    if (journal.durable() == seen) co_await event_->wait();
    worker_.forget(*this);
  }
  net::Awaitable<void> notified() { return event_->wait(); }
  net::Awaitable<void> notified_until(net::Clock::time_point deadline) {
    return event_->wait_until(deadline);
  }
  net::Executor executor() { return worker_.executor(); }
  const std::shared_ptr<net::AsyncEvent>& event() const { return event_; }

 private:
  relay::Worker& worker_;
  std::shared_ptr<net::AsyncEvent> event_;
};

void LiveFeed::start(relay::Worker& worker, const transcript::Journal& journal,
                     store::TailStore& tails, Log& log) {
  for (const auto lane : {store::MergeLane::quick, store::MergeLane::slow}) {
    // The loop owns what is tied to its thread: this object outlives the worker.
    auto gate = std::make_shared<Gate>(worker);
    loops_.push_back({worker.executor(), gate->event()});
    asio::co_spawn(worker.executor(), run(std::move(gate), journal, tails, lane, log),
                   asio::detached);
  }
}

net::Awaitable<void> LiveFeed::run(std::shared_ptr<Gate> gate, const transcript::Journal& journal,
                                   store::TailStore& tails, store::MergeLane lane, Log& log) {
  bool troubled = false;
  bool idle = true;
  while (!closed_) {
    const bool last = closing_;
    const auto asked = wanted(lane);
    if (asked.empty() && idle && !last) {
      co_await gate->notified();
      continue;
    }
    idle = asked.empty();  // one more look, which stops following
    const transcript::Sequence seen = journal.durable();
    const auto look = [&](auto done) { tails.look(lane, asked, done); };
    auto found =
        co_await net::from_callback<store::StoreResult<store::TailLook>>(gate->executor(), look);
    auto pause = settings().interval;
    if (!found) {
      if (!troubled) log.error("events.trouble", {{"why", found.error().what()}});
      pause = trouble_interval;
    } else {
      show(std::move(found->states));
      hand_over(found->slow);
    }
    troubled = !found;
    if (last) {
      if (++loops_closed_ < loops_.size()) break;
      closed_ = true;
      show({});
      break;
    }
    const auto next = net::Clock::now() + pause;
    if (!troubled && !idle) co_await gate->news(journal, seen);
    while (net::Clock::now() < next && !closing_) co_await gate->notified_until(next);
  }
}

std::vector<store::TailWanted> LiveFeed::wanted(store::MergeLane lane) {
  std::vector<store::TailWanted> all;
  const std::lock_guard lock(mutex_);
  for (auto at = watched_.begin(); at != watched_.end();) {
    auto& subscribers = at->second.subscribers;
    std::erase_if(subscribers,
                  [](const Subscriber& subscriber) { return subscriber.event.expired(); });
    at = subscribers.empty() ? watched_.erase(at) : std::next(at);
  }
  for (const auto& [key, watched] : watched_)
    if (watched.lane == lane) all.push_back({key, watched.seen, watched.state});
  return all;
}

void LiveFeed::hand_over(const std::vector<TailKey>& slow) {
  if (slow.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (const TailKey& key : slow)
      if (const auto at = watched_.find(key); at != watched_.end())
        at->second.lane = store::MergeLane::slow;
  }
  wake_loops();
}

/// Notifies the subscribers of changed sessions; at the end of the feed, all of them.
void LiveFeed::show(States states) {
  std::vector<Subscriber> woken;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [key, state] : states) {
      const auto at = watched_.find(key);
      if (at == watched_.end() || at->second.state == state) continue;
      at->second.state = std::move(state);
      woken.insert(woken.end(), at->second.subscribers.begin(), at->second.subscribers.end());
    }
    if (closed_)
      for (const auto& [key, watched] : watched_)
        woken.insert(woken.end(), watched.subscribers.begin(), watched.subscribers.end());
  }
  for (const Subscriber& subscriber : woken) notify(subscriber);
}

void LiveFeed::wake_watchers() {
  std::vector<Subscriber> woken;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, watched] : watched_)
      woken.insert(woken.end(), watched.subscribers.begin(), watched.subscribers.end());
  }
  for (const Subscriber& subscriber : woken) notify(subscriber);
}

void LiveFeed::notify(const Subscriber& subscriber) {
  asio::post(subscriber.executor, [event = subscriber.event] {
    if (const auto alive = event.lock()) alive->notify();
  });
}

void LiveFeed::wake_loops() {
  for (const Subscriber& loop : loops_) notify(loop);
}

tl::expected<std::unique_ptr<LiveFeed::Permit>, LiveFeed::NotAdmitted> LiveFeed::admit(
    const std::string& session_id) {
  const config::Events limits = settings();
  const std::lock_guard lock(mutex_);
  const auto refused = [this](NotAdmitted why) {
    ++counts_.refused;
    return tl::unexpected(why);
  };
  if (closing_) return refused(NotAdmitted::closing);
  if (watchers_ >= limits.watchers_max) return refused(NotAdmitted::too_many);
  const auto at = watchers_of_.find(session_id);
  if (at != watchers_of_.end() && at->second >= limits.watchers_per_session_max)
    return refused(NotAdmitted::too_many_of_session);
  ++watchers_;
  ++watchers_of_[session_id];
  return std::make_unique<Permit>(*this, session_id);
}

void LiveFeed::leave(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  --watchers_;
  const auto at = watchers_of_.find(session_id);
  if (--at->second == 0) watchers_of_.erase(at);
  if (watchers_ == 0 && empty_) notify(*empty_);
}

std::shared_ptr<net::AsyncEvent> LiveFeed::follow(const TailKey& key, std::uint64_t seen,
                                                  const net::Executor& executor) {
  auto event = std::make_shared<net::AsyncEvent>(executor);
  bool is_new = false;
  {
    const std::lock_guard lock(mutex_);
    const auto [at, made] = watched_.try_emplace(key);
    if (made) at->second.seen = seen;
    at->second.subscribers.push_back({executor, event});
    is_new = !at->second.state;
  }
  if (is_new) wake_loops();
  return event;
}

std::shared_ptr<const store::TailState> LiveFeed::newest(const TailKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = watched_.find(key);
  return at == watched_.end() ? nullptr : at->second.state;
}

net::Awaitable<void> LiveFeed::close(net::Executor executor, net::Clock::time_point deadline) {
  const auto event = std::make_shared<net::AsyncEvent>(executor);
  closing_ = true;
  {
    const std::lock_guard lock(mutex_);
    empty_ = Subscriber{executor, event};
    if (watchers_ == 0) co_return;
  }
  wake_loops();
  while (watchers() > 0 && net::Clock::now() < deadline) co_await event->wait_until(deadline);
}

std::size_t LiveFeed::watchers() const {
  const std::lock_guard lock(mutex_);
  return watchers_;
}

void LiveFeed::add_metrics(relay::MetricsPage& page) const {
  page.add(feed_rows, FeedSource{watchers(), counts_});
}

}  // namespace verbatim::api
