// The events of client and provider in a measured conversation. They have the forms and sizes of
// the recorded streams, and the time of sending in event_id.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::bench {

using Clock = std::chrono::steady_clock;

inline std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

enum class Kind { audio, text, other };

/// An event whose time is written into it when it is sent.
class Template {
 public:
  Template(Kind kind, std::string_view type, std::string_view rest);
  /// The event with the current time. Valid until the next call.
  const std::string& stamped();
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
  std::string bytes_;
  std::size_t stamp_at_;
};

/// The time at which an event was sent; 0 if it has none.
std::int64_t sent_ns(std::string_view event);
/// The kind of an event, from its first bytes.
Kind kind_of(std::string_view event);

/// Base64 of this many milliseconds of 24 kHz PCM16.
std::string speech(int ms);

/// A provider's event, and the time after the beginning of the exchange at which it is due.
struct Due {
  int at_ms;
  Template event;
};
/// One exchange: a transcribed utterance, and an answer of two seconds. Audio and text of the
/// answer are interleaved in five bursts. `number` counts the session's exchanges from 0; `audio`
/// is the audio of one 100 ms message.
std::vector<Due> one_exchange(const std::string& session, int number, const std::string& audio);

/// The first event of a session.
std::string session_created(const std::string& tag);

}  // namespace verbatim::bench
