// Records live traffic, so that a conversation can be replayed: one file for each attempt,
// SESSION.ATTEMPT.jsonl, with transcript text in it (format: the interface, section 6).
//
// Any thread adds lines; one thread writes them. Capture never slows or ends a conversation: lines
// that the disk cannot take in time are dropped and counted.
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

#include "server/relay/tap.hpp"

namespace verbatim::relay {

class Capture final : public TapSource {
 public:
  /// Creates the folder. Throws std::runtime_error.
  explicit Capture(std::filesystem::path directory);
  ~Capture() override;

  /// Writes the messages of one attempt to its file.
  std::unique_ptr<Tap> tap(const TappedConversation& conversation) override;

  /// Removes the files of an ended session after their last lines were written. Calls `done` on the
  /// writing thread, with false if some are still there.
  void erase(const std::string& session_id, std::function<void(bool)> done);

  /// The file of an attempt; nullopt if it was not captured.
  std::optional<std::filesystem::path> file_of(const std::string& session_id, int attempt) const;
  /// Reads about `bytes` bytes of whole lines from offset `at`; empty at the end. Calls `done` on
  /// the writing thread.
  void read(const std::filesystem::path& file, std::uint64_t at, std::size_t bytes,
            std::function<void(std::string)> done);

  std::uint64_t left_out() const { return left_out_; }

 private:
  class Stream;
  void append(const std::filesystem::path& file, std::string line);

  std::filesystem::path directory_;
  std::atomic<std::size_t> waiting_bytes_{0};
  std::atomic<std::uint64_t> left_out_{0};
  boost::asio::thread_pool writer_{1};
};

/// Removes the files of a session when no process writes them any more. Returns false if some are
/// still there.
bool erase_captured(const std::filesystem::path& directory, const std::string& session_id);

}  // namespace verbatim::relay
