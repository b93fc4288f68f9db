// The thread that keeps the full-text index up to date. It follows the database's numbers of
// change. A store without an index is indexed in the background, in batches; after a kill, the work
// continues where it stopped. Erased sessions are taken out before anything else is put in.
//
// A failed step is logged and tried again. It affects no conversation and no other read.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "storage/store/call.hpp"

namespace verbatim::search {

class Indexer {
 public:
  /// Starts the thread. `log` must outlive it.
  /// `free_space_min`: bytes of the disk that the index leaves free for the journal.
  Indexer(std::filesystem::path database, std::size_t free_space_min, Log& log);
  ~Indexer();
  Indexer(const Indexer&) = delete;
  Indexer& operator=(const Indexer&) = delete;

  /// Takes an erased session's words out. Call it when the database has the session no longer. Any
  /// thread. `done`: called on the indexer's thread, or at once if it was stopped: the next start
  /// looks for erased sessions.
  /// `gone`: called on the indexer's thread when the index's files have none of the words any more.
  void erase(std::string session_id, store::Done<> done, std::function<void()> gone);
  /// The database was opened on a full disk, which has room by now: opens it again. Any thread.
  void open_anew() { open_anew_ = true; }
  /// Begins no further step. Any thread; waits for nothing.
  void begin_stop();
  /// Ends the thread after the step that it is in.
  void stop();

 private:
  struct Erasure {
    std::string session_id;
    store::Done<> done;
    std::function<void()> gone;
  };
  struct Files;

  void work();
  bool step();
  void open();
  void erase_waiting(std::vector<Erasure> waiting);
  void scrub();
  std::size_t drop_strangers();
  bool index_batch();
  void report(const store::StorageError& error);
  std::vector<Erasure> take_erasures();

  bool has_space();

  const std::filesystem::path database_;
  const std::size_t free_space_min_;
  Log& log_;
  std::unique_ptr<Files> files_;
  std::int64_t looked_to_ = 0;  ///< indexed sessions up to here exist in the database
  bool looked_through_ = false;
  bool scrub_wanted_ = false;
  std::vector<std::function<void()>> when_scrubbed_;
  bool waits_for_space_ = false;
  bool troubled_ = false;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> open_anew_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Erasure> erasures_;
  std::thread thread_;
};

}  // namespace verbatim::search
