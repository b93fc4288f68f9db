// A server that transcribes, with its pauses: after a failure that is not the fault of one
// utterance it gets no call for a while.
//
// One thread, except wake(). Errors are values.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/backoff.hpp"
#include "base/secret.hpp"
#include "server/repair/transcription.hpp"
#include "server/webhooks/call.hpp"

namespace verbatim::repair {

class Engine {
 public:
  using Clock = std::chrono::steady_clock;
  using milliseconds = std::chrono::milliseconds;

  struct Options {
    const char* name = "";  ///< in the log: never the URL
    std::string url;        ///< as configured
    std::string model;
    Secret key;  ///< empty: none is sent
    bool allow_private = false;
    milliseconds timeout{};
    milliseconds retry_min{};  ///< the pause after a failure, doubled with each further one
    milliseconds retry_max{};
  };
  /// Throws std::runtime_error if libcurl cannot be initialised.
  explicit Engine(Options options);

  const char* name() const { return options_.name; }
  /// No call is made before.
  Clock::time_point ready_at() const { return ready_at_; }
  bool is_ready() const { return Clock::now() >= ready_at_; }

  /// An operator asked for a call: ends a pause that the engine has not asked for itself.
  void end_pause();

  /// Sends an utterance and waits for the answer, the time limit, or until `stopped()` says so
  /// after a wake(). nullopt: it was stopped, and nothing more is sent.
  std::optional<Transcription> transcribe(std::string_view wav, const std::string& language,
                                          const std::function<bool()>& stopped);
  /// Any thread.
  void wake();

 private:
  void take_pause(const Transcription& answer);

  const Options options_;
  const webhooks::CallOptions call_;
  std::mutex mutex_;  ///< for the pointer: wake() comes from other threads
  std::unique_ptr<webhooks::WebhookCalls> calls_;
  Backoff pauses_;
  int server_errors_ = 0;  ///< in a row
  Clock::time_point ready_at_{};
  Clock::time_point asked_until_{};  ///< the end of the pause that it asked for
};

}  // namespace verbatim::repair
