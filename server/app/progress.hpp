// Shows on a terminal how far a long command is, and an estimate of the rest. Into a pipe or a file
// it writes nothing.
//
// One thread of its own, from construction to destruction. The work itself runs elsewhere.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

namespace verbatim::app {

/// "backup: 42 %, about 12 s left". Without a total only the time so far.
std::string progress_line(const std::string& what, std::uintmax_t done, std::uintmax_t total,
                          std::int64_t elapsed_ms);

class Progress {
 public:
  /// `bytes_to_read`: an estimate of what the work reads from files; 0: unknown. The process counts
  /// what it has read, so that the work needs no hooks.
  Progress(std::string what, std::uintmax_t bytes_to_read);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Removes the line.
  ~Progress();

 private:
  void run();

  const std::string what_;
  const std::uintmax_t total_;
  const std::uintmax_t before_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;  ///< not running without a terminal
};

/// The sizes of a database and its log; 0 if there is none.
std::uintmax_t store_size(const std::filesystem::path& database);

}  // namespace verbatim::app
