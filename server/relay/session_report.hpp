// Counts and logs what happens in one session: each call reports the difference to the last one.
// One worker's thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "server/relay/tally.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::relay {

class SessionReport {
 public:
  /// `tally`, `log`: must outlive it. `trace_id`: empty if the session is not traced.
  SessionReport(Tally& tally, Log& log, std::string trace_id)
      : tally_(tally), log_(log), trace_id_(std::move(trace_id)) {}
  const std::string& trace_id() const { return trace_id_; }

  void changed(const session::RealtimeSession& session);
  /// A connection to the provider is open after `took_us`.
  void dialled(const session::RealtimeSession& session, std::int64_t took_us);
  /// The client was sent the first audio of an answer after `wait_us`.
  void first_audio(const session::RealtimeSession& session, std::int64_t wait_us);

 private:
  using Counts = session::RealtimeSession::Counts;

  void count(const Counts& before, const Counts& now);
  void log(const session::RealtimeSession& session, const Counts& before);
  void log_limit(const session::RealtimeSession& session);
  void report_responses(const session::RealtimeSession& session);

  Tally& tally_;
  Log& log_;
  const std::string trace_id_;
  Counts counted_;
  bool detached_ = false;
  decltype(transcript::ResponseCounts::by_status) responses_{};
  bool failure_logged_ = false;  ///< a failed response was logged
  bool audio_logged_ = false;    ///< the first audio of the session was logged
};

}  // namespace verbatim::relay
