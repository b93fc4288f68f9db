// The values with which an attempt, one run of a session, is opened. Pure values.
#pragma once

#include <string>

#include "session/transcript/journal.hpp"

namespace verbatim::store {

struct AttemptSpec {
  std::string session_id;               ///< public id; the session is made if it does not exist
  std::string user;                     ///< must equal the session's if that exists
  std::string metadata = "{}";          ///< JSON object; used only if the session is made
  std::string private_metadata = "{}";  ///< as `metadata`, but only back ends read it
  std::string model;
  TimeMs now = 0;
};

struct OpenedAttempt {
  transcript::AttemptId attempt = 0;
  int number = 0;  ///< 1-based within its session
  /// The recorded time: never before the session was made or its last attempt ended, even if the
  /// clock was set back.
  TimeMs started_at = 0;
};

}  // namespace verbatim::store
