// One run of a session, as it is opened. Pure values.
#pragma once

#include <string>

#include "session/transcript/journal.hpp"

namespace verbatim::storage {

struct AttemptSpec {
  std::string session_id;               ///< public id; the session is made if it is not there
  std::string user;                     ///< must equal the session's if it is there
  std::string metadata = "{}";          ///< JSON object; used only when the session is made
  std::string private_metadata = "{}";  ///< the same of the half that only back ends read
  std::string model;
  TimeMs now = 0;
};

struct OpenedAttempt {
  session::AttemptId attempt = 0;
  int number = 0;  ///< 1-based within its session
  /// As recorded: not before its session was made, or an earlier attempt ended, whatever the clock.
  TimeMs started_at = 0;
};

}  // namespace verbatim::storage
