// Records live traffic, so that a conversation can be replayed: one file for each attempt,
// SESSION.ATTEMPT.jsonl, with transcript text in it (format: session/protocol/recording.hpp).
//
// Attempts are captured from their beginning, or from the moment start_capture() is called.
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
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "config/settings.hpp"
#include "server/relay/tap.hpp"

namespace verbatim::relay {

class Capture final : public TapSource {
 public:
  /// Creates the folder. Throws std::runtime_error.
  /// With `start` on_request nothing of an attempt is captured before start_capture().
  explicit Capture(std::filesystem::path directory,
                   config::CaptureStart start = config::CaptureStart::always);
  ~Capture() override;

  /// Writes the messages of one attempt to its file.
  std::unique_ptr<Tap> tap(const TappedConversation& conversation) override;

  /// Captures the session's running attempt from now on. False if none runs here. Any thread.
  bool start_capture(const std::string& session_id);

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

  /// Whether an attempt is captured now; shared with its tap.
  using Switch = std::shared_ptr<std::atomic<bool>>;

  std::filesystem::path directory_;
  const bool on_request_;
  std::mutex mutex_;  ///< held for a look into the map, never for a message
  std::unordered_map<std::string, std::weak_ptr<std::atomic<bool>>> running_;  ///< by session
  std::atomic<std::size_t> waiting_bytes_{0};
  std::atomic<std::uint64_t> left_out_{0};
  boost::asio::thread_pool writer_{1};
};

/// Removes the files of a session when no process writes them any more. Returns false if some are
/// still there.
bool erase_captured(const std::filesystem::path& directory, const std::string& session_id);

}  // namespace verbatim::relay
