// Watches one conversation's events as its session records them: for traces.
//
// On the session's thread, between its inputs. An observer must not block, throw, or call the
// session.
#pragma once

#include "base/clock.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::session {

class Observer {
 public:
  virtual ~Observer() = default;
  /// An event that the journal has accepted, or that is part of the final record; never a
  /// repetition and never audio.
  virtual void recorded(const transcript::Event& event, Moment now) = 0;
};

}  // namespace verbatim::session
