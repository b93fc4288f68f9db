// A provider that is not there: it speaks the OpenAI Realtime protocol (GA) as the provider does,
// makes up what it hears and answers audibly, or plays a recorded conversation. For demonstrations,
// for tests, and for a start without a key. What it can be told to do wrong: docs/simulator.md.
//
// One object is one client's connection. Sans-I/O: no socket, no clock, no thread of its own; it
// reads one file if a recording is asked for, at construction. Used from one thread at a time.
// Never throws after construction (but for lack of memory).
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
  double pace = 1.0;                     ///< 1: like the provider; 0: as fast as possible
  std::uint64_t seed = 1;                ///< of everything that is made up
  std::string faults;                    ///< "FAULT[=ARG]+FAULT...", for every connection
  std::string profile;                   ///< whose ways it has; empty: OpenAI's
  std::int64_t unix_offset_ms = 0;  ///< Unix time minus the clock of `now_ms`, for `expires_at`
};

/// What the driver does next, in order.
struct Action {
  enum class Kind {
    send,   ///< a frame with `payload`
    close,  ///< a close frame with code and reason; nothing follows
    drop,   ///< the socket is cut without one; nothing follows
    hang,   ///< the socket stays open, nothing is read or sent any more; nothing follows
  };
  Kind kind = Kind::send;
  std::string payload;
  std::uint16_t close_code = 0;
  std::string close_reason;
  bool binary = false;  ///< of a send: a binary frame in the place of a text frame
};

class SimulatedConnection {
 public:
  /// `model` is the value of the URL's parameter, faults and all: a recording's name, or any
  /// model's, then "+FAULT..." (a blank stands for the plus, as URLs have it). Throws
  /// std::invalid_argument for a fault that does not exist or has a bad argument, and
  /// std::runtime_error for a recording that cannot be read.
  SimulatedConnection(const Options& options, const std::string& model, std::int64_t now_ms);
  ~SimulatedConnection();
  SimulatedConnection(SimulatedConnection&&) noexcept;
  SimulatedConnection& operator=(SimulatedConnection&&) noexcept;

  /// Any text frame of the client's. What was due by now happens before it.
  void on_message(std::string_view message, std::int64_t now_ms);

  /// When take() will have something, if the client stays silent; may lie in the past. nullopt:
  /// nothing until the client says something.
  std::optional<std::int64_t> next_due() const;

  /// Everything that is due by now.
  std::vector<Action> take(std::int64_t now_ms);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace verbatim::simulator
