// What client and provider say in a measured conversation: events of the shapes and sizes that the
// recorded streams have, each with the moment at which it was sent in its event_id.
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

/// An event without its moment, which is written into it as it is sent.
class Template {
 public:
  Template(Kind kind, std::string_view type, std::string_view rest);
  /// The event, stamped with the present moment. Valid until the next call.
  const std::string& stamped();
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
  std::string bytes_;
  std::size_t stamp_at_;
};

/// When an event was sent, read from its stamp; 0 if it has none.
std::int64_t sent_ns(std::string_view event);
/// As a client or a provider tells by the beginning of an event.
Kind kind_of(std::string_view event);

/// base64 of so many milliseconds of 24 kHz PCM16.
std::string speech(int ms);

/// A provider's event of one exchange, and when it is due after the exchange has begun.
struct Due {
  int at_ms;
  Template event;
};
/// One exchange: what the person said, transcribed, and an answer of two seconds whose audio and
/// text come interleaved in five bursts. It is the session's exchange of that number, from 0;
/// `audio` is that of one 100 ms message.
std::vector<Due> one_exchange(const std::string& session, int number, const std::string& audio);

/// The first event of a session.
std::string session_created(const std::string& tag);

}  // namespace verbatim::bench
