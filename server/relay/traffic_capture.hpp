// Recorded streams of live traffic (the interface, section 6), for those who want to reproduce what
// happened: one file an attempt, SESSION.ATTEMPT.jsonl, with transcript text in it.
//
// Any thread gives lines; one thread writes them. Capture never slows or ends a conversation: when
// the disk can not keep up, lines are left out and counted.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "session/protocol/recording.hpp"

namespace verbatim::server {

class Capture {
 public:
  /// Makes the folder. Throws std::runtime_error.
  explicit Capture(std::filesystem::path directory);
  ~Capture();

  /// One attempt's file.
  class Stream {
   public:
    Stream(Capture& owner, std::filesystem::path file, std::int64_t started_ms)
        : owner_(owner), file_(std::move(file)), started_ms_(started_ms) {}
    void add(session::Direction direction, std::string_view event, std::int64_t now_ms);

   private:
    Capture& owner_;
    std::filesystem::path file_;
    std::int64_t started_ms_;
  };
  std::unique_ptr<Stream> open(const std::string& session_id, int attempt, std::int64_t now_ms);

  /// Removes what was captured of a session that is over, behind its last line. False: some of it
  /// is still there. `done` is called on the writing thread.
  void erase(const std::string& session_id, std::function<void(bool)> done);

  /// Where an attempt's stream is; nullopt if nothing was captured of it.
  std::optional<std::filesystem::path> file_of(const std::string& session_id, int attempt) const;
  /// Whole lines from `at` on, about `bytes` of them; empty: there are no more. `done` is called on
  /// the writing thread.
  void read(const std::filesystem::path& file, std::uint64_t at, std::size_t bytes,
            std::function<void(std::string)> done);

  std::uint64_t left_out() const { return left_out_; }

 private:
  void append(const std::filesystem::path& file, std::string line);

  std::filesystem::path directory_;
  std::atomic<std::size_t> waiting_bytes_{0};
  std::atomic<std::uint64_t> left_out_{0};
  boost::asio::thread_pool writer_{1};
};

/// Removes what was captured of a session, where nobody writes any more. False: some of it is still
/// there.
bool erase_captured(const std::filesystem::path& directory, const std::string& session_id);

}  // namespace verbatim::server
