// Reads of the store for those that may not wait for a disk.
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

/// The transcript store on a thread of its own, so that a slow read never stalls a session. Reads
/// of one share are done in their order, and those of several shares in turns.
class StoreReader {
 public:
  explicit StoreReader(const std::filesystem::path& file) : store_(file) {}
  /// One that merges copies: its thread gives way to those that carry conversations.
  struct Merging {
    std::size_t merged_bytes_max = 0;  ///< as TranscriptStore
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

  /// Runs `read(store)` there and returns what it returns, or the error that it threw. `what`, a
  /// literal, names the read to an operator if it lasts long. `share`: whose it is.
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

  /// Any thread: reads from the file as it is from now on. What is being read ends first.
  void open_anew() { open_anew_.store(true); }

  /// Any thread: what is being read and since when; nothing if nothing is.
  struct UnderWay {
    const char* what;
    Clock::time_point since;
  };
  std::optional<UnderWay> under_way() const {
    const std::lock_guard lock(mutex_);
    return under_way_;
  }
  /// Any thread: ends what is being read, with an error, if it was begun before this time. Asked
  /// again if it goes on between two statements.
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
