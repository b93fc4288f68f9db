#include "server/registry.hpp"

#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

namespace verbatim::server {

Admission Registry::admit(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  if (draining_) return Admission::draining;
  if (sessions_.contains(session_id)) return Admission::busy;
  if (sessions_.size() >= sessions_max_) return Admission::full;
  sessions_.emplace(session_id, Entry{});
  return Admission::admitted;
}

bool Registry::attach(const std::string& session_id, Worker& worker, SessionDriver& driver) {
  const std::lock_guard lock(mutex_);
  sessions_[session_id] = Entry{&worker, &driver};
  return !draining_;
}

void Registry::release(const std::string& session_id) {
  std::vector<Watcher> woken;
  {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session_id);
    const auto [first, last] = watchers_.equal_range(session_id);
    for (auto it = first; it != last; ++it) woken.push_back(it->second);
    watchers_.erase(first, last);
    if (sessions_.empty() && empty_watcher_) woken.push_back(*empty_watcher_);
  }
  for (const Watcher& watcher : woken) ring(watcher);
}

void Registry::ring(const Watcher& watcher) {
  asio::post(watcher.executor, [bell = watcher.bell] {
    if (const auto alive = bell.lock()) alive->ring();
  });
}

void Registry::end(const std::string& session_id, session::CloseReason reason, std::string why) {
  Worker* worker = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto it = sessions_.find(session_id);
    if (it != sessions_.end()) worker = it->second.worker;
  }
  if (worker) post_end(*worker, session_id, reason, std::move(why));
}

void Registry::post_end(Worker& worker, const std::string& session_id, session::CloseReason reason,
                        std::string why) {
  // Drivers come and go on their worker's thread, so one found there is alive there.
  asio::post(worker.executor(), [this, session_id, reason, why = std::move(why)] {
    SessionDriver* driver = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto it = sessions_.find(session_id);
      if (it != sessions_.end()) driver = it->second.driver;
    }
    if (driver) driver->end(reason, why);
  });
}

void Registry::end_all(session::CloseReason reason, const std::string& why) {
  std::vector<std::pair<std::string, Worker*>> live;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : sessions_) {
      if (entry.worker) live.emplace_back(id, entry.worker);
    }
  }
  for (const auto& [id, worker] : live) {
    post_end(*worker, id, reason, why);
  }
}

void Registry::drain(session::CloseReason reason, const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    if (sessions_.empty() && empty_watcher_) ring(*empty_watcher_);
  }
  end_all(reason, why);
}

std::size_t Registry::live() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

bool Registry::draining() const {
  const std::lock_guard lock(mutex_);
  return draining_;
}

std::shared_ptr<Doorbell> Registry::watch(const std::string& session_id, const Executor& executor) {
  auto bell = std::make_shared<Doorbell>(executor);
  const std::lock_guard lock(mutex_);
  std::erase_if(watchers_, [](const auto& entry) { return entry.second.bell.expired(); });
  watchers_.emplace(session_id, Watcher{executor, bell});
  return bell;
}

std::shared_ptr<Doorbell> Registry::watch_empty(const Executor& executor) {
  auto bell = std::make_shared<Doorbell>(executor);
  const std::lock_guard lock(mutex_);
  empty_watcher_ = Watcher{executor, bell};
  return bell;
}

}  // namespace verbatim::server
