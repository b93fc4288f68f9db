// Sends recorded audio to another machine. An erasure stops it first: once a session is erased,
// nothing of it is sent any more.
#pragma once

#include <functional>
#include <string>

namespace verbatim::relay {

class AudioSender {
 public:
  virtual ~AudioSender() = default;
  // Any thread.
  /// From now on nothing of the session is sent. `done`: nothing is being sent any more; called
  /// once, on any thread.
  virtual void hold(const std::string& session_id, std::function<void()> done) = 0;
  /// Ends one hold().
  virtual void release(const std::string& session_id) = 0;
};

}  // namespace verbatim::relay
