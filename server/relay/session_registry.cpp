#include "server/relay/session_registry.hpp"

#include <boost/asio/post.hpp>
#include <limits>
#include <utility>
#include <vector>

#include "server/net/from_callback.hpp"
#include "server/relay/metric_family.hpp"

namespace verbatim::relay {

namespace {

constexpr MetricFamily<Registry> registry_rows[] = {
    {"verbatim_draining", "1 while the relay shuts down after SIGTERM or SIGINT.",
     MetricType::gauge,
     [](const Registry& registry, MetricSamples& out) { out.add(registry.draining()); }},
};

}  // namespace

Admission Registry::admit(const std::string& session_id, const std::string& user) {
  return take(session_id, user, sessions_max_);
}

Admission Registry::reserve(const std::string& session_id) {
  return take(session_id, {}, std::numeric_limits<std::size_t>::max());
}

Admission Registry::take(const std::string& session_id, const std::string& user,
                         std::size_t sessions_max) {
  const std::lock_guard lock(mutex_);
  if (draining_) return Admission::draining;
  if (sessions_.contains(session_id)) return Admission::busy;
  if (sessions_.size() >= sessions_max) return Admission::full;
  sessions_.emplace(session_id, Entry{user, nullptr, nullptr});
  return Admission::admitted;
}

bool Registry::attach(const std::string& session_id, Worker& worker, SessionDriver& driver) {
  std::vector<Waiter> woken;
  bool welcome;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = sessions_[session_id];
    entry.worker = &worker;
    entry.driver = &driver;
    welcome = !draining_;
    woken = take_waiters(session_id);
  }
  for (const Waiter& waiter : woken) notify(waiter);
  return welcome;
}

void Registry::release(const std::string& session_id) {
  std::vector<Waiter> woken;
  {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session_id);
    woken = take_waiters(session_id);
    if (sessions_.empty() && empty_waiter_) woken.push_back(*empty_waiter_);
  }
  for (const Waiter& waiter : woken) notify(waiter);
}

std::vector<Registry::Waiter> Registry::take_waiters(const std::string& session_id) {
  std::vector<Waiter> taken;
  const auto [first, last] = waiters_.equal_range(session_id);
  for (auto it = first; it != last; ++it) taken.push_back(it->second);
  waiters_.erase(first, last);
  return taken;
}

void Registry::notify(const Waiter& waiter) {
  asio::post(waiter.executor, [event = waiter.event] {
    if (const auto alive = event.lock()) alive->notify();
  });
}

std::optional<std::string> Registry::user_of(const std::string& session_id) const {
  const std::lock_guard lock(mutex_);
  const auto it = sessions_.find(session_id);
  if (it == sessions_.end()) return std::nullopt;
  return it->second.user;
}

net::Awaitable<bool> Registry::goes_on(std::string session_id, net::Executor executor) {
  const auto look = [this, &session_id](auto done) {
    visit(session_id,
          [done](SessionDriver* driver) mutable { done(driver && !driver->session().ended()); });
  };
  co_return co_await net::from_callback<bool>(executor, look);
}

void Registry::join(const std::string& session_id, ReturningClient client,
                    std::function<void(std::unique_ptr<net::Peer>)> done) {
  const auto carried = std::make_shared<ReturningClient>(std::move(client));
  visit(session_id, [carried, done = std::move(done)](SessionDriver* driver) {
    if (driver) driver->attach(*carried);
    done(std::move(carried->connection));
  });
}

void Registry::end(const std::string& session_id, transcript::CloseReason reason, std::string why) {
  visit(session_id, [reason, why = std::move(why)](SessionDriver* driver) {
    if (driver) driver->end(reason, why);
  });
}

void Registry::end(const std::string& session_id, transcript::CloseReason reason, std::string why,
                   std::function<void(Ended)> done) {
  visit(session_id, [reason, why = std::move(why), done = std::move(done)](SessionDriver* driver) {
    if (!driver) return done(Ended::not_running);
    driver->end(reason, why);
    driver->when_settled([driver, done] {
      const session::RealtimeSession& session = driver->session();
      done(session.suspended() ? Ended::suspended : session.kept() ? Ended::kept : Ended::not_kept);
    });
  });
}

void Registry::suspend(const std::string& session_id, const std::string& why) {
  visit(session_id, [why](SessionDriver* driver) {
    if (driver) driver->suspend(why);
  });
}

std::vector<std::string> Registry::ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [id, entry] : sessions_) all.push_back(id);
  return all;
}

void Registry::visit(const std::string& session_id, std::function<void(SessionDriver*)> act) {
  Worker* worker = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto it = sessions_.find(session_id);
    if (it != sessions_.end()) worker = it->second.worker;
  }
  worker ? post_to(*worker, session_id, std::move(act)) : act(nullptr);
}

void Registry::post_to(Worker& worker, const std::string& session_id,
                       std::function<void(SessionDriver*)> act) {
  // Drivers come and go on their worker's thread, so a driver found there is alive.
  asio::post(worker.executor(), [this, session_id, act = std::move(act)] {
    SessionDriver* driver = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto it = sessions_.find(session_id);
      if (it != sessions_.end()) driver = it->second.driver;
    }
    act(driver);
  });
}

void Registry::with_all(const std::function<void(SessionDriver&)>& act) {
  std::vector<std::pair<std::string, Worker*>> live;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : sessions_) {
      if (entry.worker) live.emplace_back(id, entry.worker);
    }
  }
  for (const auto& [id, worker] : live) {
    post_to(*worker, id, [act](SessionDriver* driver) {
      if (driver) act(*driver);
    });
  }
}

void Registry::end_connections_of(const std::string& credential_id) {
  with_all([credential_id](SessionDriver& driver) { driver.credential_revoked(credential_id); });
}

void Registry::end_connections_of(
    std::shared_ptr<const std::unordered_set<std::string>> credential_ids) {
  with_all([ids = std::move(credential_ids)](SessionDriver& driver) {
    driver.credentials_revoked(*ids);
  });
}

void Registry::end_all(transcript::CloseReason reason, const std::string& why) {
  with_all([reason, why](SessionDriver& driver) { driver.end(reason, why); });
}

void Registry::begin_draining() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
  if (sessions_.empty() && empty_waiter_) notify(*empty_waiter_);
}

void Registry::drain(transcript::CloseReason reason, const std::string& why) {
  begin_draining();
  end_all(reason, why);
}

void Registry::drain_to_next(const std::string& why) {
  begin_draining();
  with_all([why](SessionDriver& driver) { driver.suspend(why); });
}

void Registry::abort_all() {
  with_all([](SessionDriver& driver) { driver.abort_links(); });
}

std::size_t Registry::live() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

bool Registry::draining() const {
  const std::lock_guard lock(mutex_);
  return draining_;
}

std::shared_ptr<net::AsyncEvent> Registry::watch(const std::string& session_id,
                                                 const net::Executor& executor) {
  auto event = std::make_shared<net::AsyncEvent>(executor);
  const std::lock_guard lock(mutex_);
  std::erase_if(waiters_, [](const auto& entry) { return entry.second.event.expired(); });
  waiters_.emplace(session_id, Waiter{executor, event});
  return event;
}

std::shared_ptr<net::AsyncEvent> Registry::watch_empty(const net::Executor& executor) {
  auto event = std::make_shared<net::AsyncEvent>(executor);
  const std::lock_guard lock(mutex_);
  empty_waiter_ = Waiter{executor, event};
  return event;
}

void Registry::add_metrics(MetricsPage& page) const { page.add(registry_rows, *this); }

}  // namespace verbatim::relay
