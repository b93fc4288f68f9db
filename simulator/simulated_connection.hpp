// A simulated provider that speaks the OpenAI Realtime protocol (GA). It invents transcriptions and
// spoken answers, or plays a recorded conversation. It serves demonstrations, tests, and a start
// without an API key. docs/simulator.md lists the faults that it can inject.
//
// One object is one client's connection. Sans-I/O: no socket, no clock and no thread of its own. It
// reads one file at construction if a recording is requested. Used from one thread at a time.
// Throws only in the constructor (and when memory is exhausted).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::simulator {

struct Options {
  std::filesystem::path recordings_dir;  ///< empty: none
  double pace = 1.0;                     ///< factor of all delays; 0: none
  std::uint64_t seed = 1;                ///< of all random choices
  std::string faults;                    ///< "FAULT[=ARG]+FAULT...", for every connection
  std::string profile;                   ///< the provider to imitate; empty: OpenAI
  std::int64_t unix_offset_ms = 0;  ///< Unix time minus the clock of `now_ms`, for `expires_at`
};

/// The actions of the driver, in order.
struct Action {
  enum class Kind {
    send,   ///< send a frame with `payload`
    close,  ///< send a close frame with code and reason; last action
    drop,   ///< cut the socket without a close frame; last action
    hang,   ///< keep the socket open, but stop reading and sending; last action
  };
  Kind kind = Kind::send;
  std::string payload;
  std::uint16_t close_code = 0;
  std::string close_reason;
  bool binary = false;  ///< for send: use a binary frame instead of a text frame
};

class SimulatedConnection {
 public:
  /// `model` is the value of the URL's parameter with the faults: the name of a recording or of any
  /// model, then "+FAULT..." (or a space for the plus, as URLs decode it). Throws
  /// std::invalid_argument for an unknown fault or a bad argument, and std::runtime_error for a
  /// recording that cannot be read.
  SimulatedConnection(const Options& options, const std::string& model, std::int64_t now_ms);
  ~SimulatedConnection();
  SimulatedConnection(SimulatedConnection&&) noexcept;
  SimulatedConnection& operator=(SimulatedConnection&&) noexcept;

  /// Handles a text frame of the client, after everything that is due by now.
  void on_message(std::string_view message, std::int64_t now_ms);

  /// When take() will return something if the client stays silent; can be in the past. nullopt:
  /// nothing until the client sends a message.
  std::optional<std::int64_t> next_due() const;

  /// All actions that are due by now.
  std::vector<Action> take(std::int64_t now_ms);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace verbatim::simulator
