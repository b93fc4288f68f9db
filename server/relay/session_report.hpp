// Counts and logs what happens in one session: each call reports the difference to the last one.
// One worker's thread.
#pragma once

#include "base/log.hpp"
#include "server/relay/tally.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::relay {

class SessionReport {
 public:
  /// Both must outlive it.
  SessionReport(Tally& tally, Log& log) : tally_(tally), log_(log) {}

  void changed(const session::RealtimeSession& session);

 private:
  using Counts = session::RealtimeSession::Counts;

  void count(const Counts& before, const Counts& now);
  void log(const session::RealtimeSession& session, const Counts& before);
  void report_responses(const session::RealtimeSession& session);

  Tally& tally_;
  Log& log_;
  Counts counted_;
  bool detached_ = false;
  decltype(transcript::ResponseCounts::by_status) responses_{};
  bool failure_logged_ = false;  ///< a failed response was logged
};

}  // namespace verbatim::relay
