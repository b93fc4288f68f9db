// Reads the transcript store for coroutines that must not block on a disk.
//
// Owns a store and its thread. Any thread calls; errors are values.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/thread_name.hpp"
#include "server/net/from_callback.hpp"
#include "server/store/fair_queue.hpp"
#include "storage/sqlite/error.hpp"
#include "storage/store/transcript_store.hpp"

namespace verbatim::server {

/// A transcript store on a thread of its own, so that a slow read never stalls a session. Reads of
/// one share are done in their order; several shares are served in turn.
class StoreReader {
 public:
  explicit StoreReader(const std::filesystem::path& file) : store_(file) {}
  /// A reader that merges copies: its thread has a lower priority than the conversations'.
  struct Merging {
    std::size_t merged_bytes_max = 0;  ///< as in TranscriptStore
    const char* thread = "merger";
  };
  StoreReader(const std::filesystem::path& file, Merging merging)
      : store_(file, merging.merged_bytes_max) {
    asio::post(thread_, [merging] {
      name_this_thread(merging.thread);
      give_way();
    });
  }
  ~StoreReader() { thread_.join(); }

  /// Runs `read(store)` on the store's thread. Returns its result, or the StorageError that it
  /// threw.
  /// `executor`: where the coroutine resumes.
  /// `read`: the function to run.
  /// `what`: a literal that names a long read to an operator.
  /// `share`: owner of the read.
  template <class Result, class Read>
  Awaitable<std::variant<Result, storage::StorageError>> run(Executor executor, Read read,
                                                             const char* what,
                                                             std::string share = {}) {
    using Outcome = std::variant<Result, storage::StorageError>;
    auto start = [this, &read, what, &share](auto done) {
      waiting_.push(share, [this, read, done, what]() mutable {
        const Reading now(*this, what);
        try {
          done(Outcome(std::in_place_index<0>, read(store_)));
        } catch (const storage::StorageError& error) {
          done(Outcome(std::in_place_index<1>, now.was_broken_off() ? too_long(what) : error));
        }
      });
      asio::post(thread_, [this] { waiting_.pop()(); });
    };
    co_return co_await from_callback<Outcome>(executor, start);
  }

  /// Any thread: reopens the file before the next read.
  void open_anew() { open_anew_.store(true); }

  /// Any thread: the current read and its start; empty if there is none.
  struct UnderWay {
    const char* what;
    Clock::time_point since;
  };
  std::optional<UnderWay> under_way() const {
    const std::lock_guard lock(mutex_);
    return under_way_;
  }
  /// Any thread: interrupts the current read if it began before `time`; it ends with an error.
  /// Returns whether it did. Call it again if the read goes on: an interrupt between two statements
  /// has no effect.
  bool break_off_if_begun_before(Clock::time_point time) {
    const std::lock_guard lock(mutex_);
    if (!under_way_ || under_way_->since >= time) return false;
    broken_off_ = true;
    store_.interrupt();
    return true;
  }

 private:
  class Reading {
   public:
    Reading(StoreReader& reader, const char* what) : reader_(reader) {
      const std::lock_guard lock(reader_.mutex_);
      reader_.open_anew_if_asked();
      reader_.under_way_ = UnderWay{what, Clock::now()};
      reader_.broken_off_ = false;
    }
    ~Reading() {
      const std::lock_guard lock(reader_.mutex_);
      reader_.under_way_.reset();
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    bool was_broken_off() const {
      const std::lock_guard lock(reader_.mutex_);
      return reader_.broken_off_;
    }

   private:
    StoreReader& reader_;
  };

  void open_anew_if_asked() {
    if (!open_anew_.exchange(false)) return;
    try {
      store_.open_anew();
    } catch (const storage::StorageError&) {
      open_anew_.store(true);  // the next read tries again
    }
  }
  static storage::StorageError too_long(const std::string& what) {
    return {storage::Failure::busy,
            what +
                ": broken off after journal.read_max, because the write-ahead log is larger than "
                "journal.log_bytes_max; ask for less, or later"};
  }

  storage::TranscriptStore store_;
  FairQueue<std::function<void()>> waiting_;
  std::atomic<bool> open_anew_{false};
  mutable std::mutex mutex_;
  std::optional<UnderWay> under_way_;
  bool broken_off_ = false;
  asio::thread_pool thread_{1};
};

}  // namespace verbatim::server
