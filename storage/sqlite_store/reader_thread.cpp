#include "storage/sqlite_store/reader_thread.hpp"

#include "base/thread_name.hpp"

namespace verbatim::sqlite_store {

ReaderThread::ReaderThread(const std::filesystem::path& file)
    : store_(file), thread_([this] { work(); }) {}

ReaderThread::ReaderThread(const std::filesystem::path& file, Merging merging)
    : store_(file, merging.merged_bytes_max), thread_([this, merging] {
        name_this_thread(merging.thread);
        give_way();
        work();
      }) {}

ReaderThread::~ReaderThread() { stop(); }

void ReaderThread::stop() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopped_ = true;
    timed_.reset();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ReaderThread::push(const std::string& share, std::function<void()> work) {
  {
    const std::lock_guard lock(queue_mutex_);
    waiting_.push(share, std::move(work));
    ++pushed_;
  }
  wake_.notify_one();
}

void ReaderThread::run_at(Clock::time_point time, std::function<void()> work) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (!stopped_) timed_ = Timed{time, std::move(work)};
  }
  wake_.notify_one();
}

/// Waits for work; empty when the thread must end.
std::function<void()> ReaderThread::next() {
  std::unique_lock lock(queue_mutex_);
  while (true) {
    if (timed_ && Clock::now() >= timed_->time) {
      waiting_.push({}, std::move(timed_->work));
      ++pushed_;
      timed_.reset();
    }
    if (pushed_ > 0) {
      --pushed_;
      return waiting_.pop();
    }
    if (stopped_) return {};
    if (timed_) {
      wake_.wait_until(lock, timed_->time);
    } else {
      wake_.wait(lock);
    }
  }
}

void ReaderThread::work() {
  while (auto one = next()) one();
}

void ReaderThread::open_anew_if_asked() {
  if (!open_anew_.exchange(false)) return;
  try {
    store_.open_anew();
  } catch (const store::StorageError&) {
    open_anew_.store(true);  // the next read tries again
  }
}

store::StorageError ReaderThread::too_long(const std::string& what) {
  return {store::Failure::busy,
          what +
              ": aborted after journal.read_max, because the write-ahead log is larger than "
              "journal.log_bytes_max; ask for less, or later"};
}

std::optional<ReaderThread::UnderWay> ReaderThread::under_way() const {
  const std::lock_guard lock(reading_mutex_);
  return under_way_;
}

bool ReaderThread::break_off_if_begun_before(Clock::time_point time) {
  const std::lock_guard lock(reading_mutex_);
  if (!under_way_ || under_way_->since >= time) return false;
  broken_off_ = true;
  store_.interrupt();
  return true;
}

}  // namespace verbatim::sqlite_store
