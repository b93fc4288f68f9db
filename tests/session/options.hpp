// The options of a session in tests. They are those of a server with the default configuration, but
// a lost client or provider ends the session.
#pragma once

#include "session/realtime_session.hpp"

namespace verbatim::session::test {

inline BudgetLimits usual_limits() {
  BudgetLimits limits;
  limits.warn_percent = 80;
  return limits;
}

inline SessionOptions usual_options() {
  SessionOptions options;
  options.idle_timeout_ms = 600'000;
  options.max_duration_ms = 3'600'000;
  options.ending_notice_ms = 60'000;
  options.created_timeout_ms = 10'000;
  options.slow_client_timeout_ms = 30'000;
  options.transcription_grace_ms = 2'000;
  options.client_queue_bytes_max = 4 * 1024 * 1024;
  options.upstream_queue_bytes_max = 4 * 1024 * 1024;
  options.journal_share_bytes = 4 * 1024 * 1024;
  options.input_transcription = true;
  options.transcription_model = "gpt-4o-mini-transcribe";
  options.item_bytes_max = 24 * 1024 * 1024;
  options.resume_buffer_bytes_max = 512 * 1024;
  options.open_answers_bytes_max = 1024 * 1024;
  options.budget = usual_limits();
  return options;
}

}  // namespace verbatim::session::test
