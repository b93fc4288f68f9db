// A transcript store on a thread of its own, so that a slow read never stalls a session. Reads of
// one share are done in their order; several shares are served in turn.
//
// Any thread calls. Errors are values.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/fair_queue.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/store/call.hpp"

namespace verbatim::sqlite_store {

class ReaderThread {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ReaderThread(const std::filesystem::path& file);
  /// A reader that merges copies: its thread has a lower priority than the conversations'.
  struct Merging {
    std::size_t merged_bytes_max = 0;  ///< as in TranscriptStore
    const char* thread = "merger";
  };
  ReaderThread(const std::filesystem::path& file, Merging merging);
  ~ReaderThread();
  ReaderThread(const ReaderThread&) = delete;
  ReaderThread& operator=(const ReaderThread&) = delete;

  /// The type that `Read` returns for a store.
  template <class Read>
  using Found = std::invoke_result_t<Read&, rows::TranscriptStore&>;

  /// Runs `read(store)` and then `done(result)` on the thread. A StorageError that `read` throws is
  /// the result.
  template <class Read>
  void run(store::ReadLabel label, Read read, store::Done<Found<Read>> done) {
    push(label.share, [this, what = label.what, read = std::move(read),
                       done = std::move(done)]() mutable { perform(what, read, done); });
  }
  /// Runs `work`, on time or soon after, in turn with the reads. Replaces earlier work that was not
  /// due.
  void run_at(Clock::time_point time, std::function<void()> work);

  /// Finishes the waiting reads and ends the thread. Nothing runs after that.
  void stop();

  /// Reopens the file before the next read.
  void open_anew() { open_anew_.store(true); }

  /// The current read and its start; empty if there is none.
  struct UnderWay {
    const char* what;
    Clock::time_point since;
  };
  std::optional<UnderWay> under_way() const;
  /// Interrupts the current read if it began before `time`; it ends with an error. Returns whether
  /// it did. Call it again if the read goes on: an interrupt between two statements has no effect.
  bool break_off_if_begun_before(Clock::time_point time);

 private:
  class Reading;

  template <class Read>
  void perform(const char* what, Read& read, store::Done<Found<Read>>& done);
  void push(const std::string& share, std::function<void()> work);
  std::function<void()> next();
  void work();
  void open_anew_if_asked();
  static store::StorageError too_long(const std::string& what);

  rows::TranscriptStore store_;
  FairQueue<std::function<void()>> waiting_;
  std::atomic<bool> open_anew_{false};

  mutable std::mutex reading_mutex_;
  std::optional<UnderWay> under_way_;
  bool broken_off_ = false;

  struct Timed {
    Clock::time_point time;
    std::function<void()> work;
  };
  std::mutex queue_mutex_;
  std::condition_variable wake_;
  std::size_t pushed_ = 0;  ///< entries of waiting_
  std::optional<Timed> timed_;
  bool stopped_ = false;
  std::thread thread_;
};

/// Marks a read as under way as long as it lives.
class ReaderThread::Reading {
 public:
  Reading(ReaderThread& reader, const char* what) : reader_(reader) {
    const std::lock_guard lock(reader_.reading_mutex_);
    reader_.open_anew_if_asked();
    reader_.under_way_ = UnderWay{what, Clock::now()};
    reader_.broken_off_ = false;
  }
  ~Reading() {
    const std::lock_guard lock(reader_.reading_mutex_);
    reader_.under_way_.reset();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  bool was_broken_off() const {
    const std::lock_guard lock(reader_.reading_mutex_);
    return reader_.broken_off_;
  }

 private:
  ReaderThread& reader_;
};

template <class Read>
void ReaderThread::perform(const char* what, Read& read, store::Done<Found<Read>>& done) {
  using Result = store::StoreResult<Found<Read>>;
  const Reading now(*this, what);
  const auto found = [&]() -> Result {
    try {
      if constexpr (std::is_void_v<Found<Read>>) {
        read(store_);
        return {};
      } else {
        return Result(tl::in_place, read(store_));
      }
    } catch (const store::StorageError& error) {
      return tl::unexpected(now.was_broken_off() ? too_long(what) : error);
    }
  };
  done(found());
}

}  // namespace verbatim::sqlite_store
