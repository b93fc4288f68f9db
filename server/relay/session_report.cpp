#include "server/relay/session_report.hpp"

#include <string>
#include <utility>
#include <vector>

namespace verbatim::relay {

namespace {

/// Ids and error codes of the first items that an upstream connection could not be given, for the
/// log. An id may come from a client: write only as much as identifies it.
std::string first_of(const std::vector<session::Rebuild::Missing>& left_out,
                     const std::vector<session::Rebuild::Missing>& refused) {
  constexpr std::size_t items_max = 20;
  constexpr std::size_t id_bytes_max = 64;
  std::string list;
  std::size_t count = 0;
  for (const auto* items : {&left_out, &refused}) {
    for (const session::Rebuild::Missing& one : *items) {
      if (count++ == items_max) return list + ", ...";
      if (!list.empty()) list += ", ";
      list += one.item_id.substr(0, id_bytes_max) + ": " + one.why;
    }
  }
  return list;
}

}  // namespace

void SessionReport::changed(const session::RealtimeSession& session) {
  const bool was_detached = std::exchange(detached_, session.detached());
  const Counts before = std::exchange(counted_, session.counts());
  if (before == counted_ && was_detached == detached_) return;
  count(before, counted_);
  report_responses(session);
  // Adding the largest value subtracts one: unsigned counters wrap around.
  if (was_detached) tally_.sessions_detached.add(~std::uint64_t{0});
  if (detached_) tally_.sessions_detached.add();
  if (detached_ && !was_detached)
    log_.info("session.detached",
              {{"session", session.identity().session_id}, {"trace_id", trace_id_}});
  log(session, before);
}

void SessionReport::dialled(const session::RealtimeSession& session, std::int64_t took_us) {
  tally_.upstream_dial.observe_us(took_us);
  log_.info("upstream.connected", {{"session", session.identity().session_id},
                                   {"trace_id", trace_id_},
                                   {"ms", took_us / 1000}});
}

/// Logs the first one of a session; the metric has them all.
void SessionReport::first_audio(const session::RealtimeSession& session, std::int64_t wait_us) {
  tally_.first_audio.observe_us(wait_us);
  if (std::exchange(audio_logged_, true)) return;
  log_.info("session.first_audio", {{"session", session.identity().session_id},
                                    {"trace_id", trace_id_},
                                    {"ms", wait_us / 1000}});
}

void SessionReport::count(const Counts& before, const Counts& now) {
  tally_.client_messages_refused.add(now.refused_client_messages - before.refused_client_messages);
  tally_.clients_resumed.add(now.resumed - before.resumed);
  tally_.clients_resumed_with_snapshot.add(now.resumed_with_snapshot -
                                           before.resumed_with_snapshot);
  tally_.upstream_reconnects.add(now.reconnected - before.reconnected);
  tally_.upstream_rotations.add(now.rotated - before.rotated);
  tally_.own_requests_refused.add(now.own_requests_refused - before.own_requests_refused);
  tally_.rebuild_items_given.add(now.items_given - before.items_given);
  tally_.rebuild_items_left_out.add(now.items_left_out - before.items_left_out);
  tally_.rebuild_items_refused.add(now.items_refused - before.items_refused);
  for (std::size_t why = 0; why < transcript::unplaced_kinds; ++why)
    tally_.unplaced_texts[why].add(now.unplaced_texts[why] - before.unplaced_texts[why]);
}

void SessionReport::log(const session::RealtimeSession& session, const Counts& before) {
  const std::string& id = session.identity().session_id;
  if (before.unplaced_texts == decltype(before.unplaced_texts){} &&
      counted_.unplaced_texts != before.unplaced_texts)
    log_.warn("transcript.text_unplaced",
              {{"session", id},
               {"trace_id", trace_id_},
               {"what",
                "the provider sent text that fits no turn; the transcript says that it is not "
                "complete; verbatim_unplaced_text_total counts it"}});
  if (counted_.own_requests_refused != before.own_requests_refused)
    log_.warn("upstream.request_refused",
              {{"session", id}, {"trace_id", trace_id_}, {"code", session.refused_code()}});
  if (counted_.lost != before.lost)
    log_.warn("upstream.lost", {{"session", id}, {"trace_id", trace_id_}});
  if (counted_.reconnected != before.reconnected)
    log_.info("upstream.restored", {{"session", id}, {"trace_id", trace_id_}});
  if (counted_.rotated != before.rotated)
    log_.info("upstream.rotated", {{"session", id}, {"trace_id", trace_id_}});
  if (counted_.limit_notices != before.limit_notices) log_limit(session);
  const session::Rebuild& rebuild = session.last_rebuild();
  if (counted_.rebuilds == before.rebuilds || rebuild.whole()) return;
  log_.warn("upstream.not_whole", {{"session", id},
                                   {"trace_id", trace_id_},
                                   {"given", rebuild.given},
                                   {"left_out", rebuild.left_out.size()},
                                   {"refused", rebuild.refused.size()},
                                   {"items", first_of(rebuild.left_out, rebuild.refused)}});
}

/// `used` and `max`: milliseconds of a clock or of audio, otherwise bytes or tokens.
void SessionReport::log_limit(const session::RealtimeSession& session) {
  const auto& limit = session.last_limit();
  if (!limit) return;
  log_.info(limit->reached ? "session.limit_reached" : "session.limit_near",
            {{"session", session.identity().session_id},
             {"trace_id", trace_id_},
             {"limit", session::to_string(limit->limit)},
             {"used", limit->used},
             {"max", limit->most}});
}

/// Logs the first failed or withheld response of a session, since the agent is silent then. An
/// answer that was only too long has been heard.
void SessionReport::report_responses(const session::RealtimeSession& session) {
  using transcript::ResponseStatus;
  const transcript::ResponseCounts& now_counted = session.responses();
  for (std::size_t index = 0; index < now_counted.by_status.size(); ++index) {
    const auto more = now_counted.by_status[index] - responses_[index];
    if (more == 0) continue;
    const auto status = static_cast<ResponseStatus>(index);
    const std::string& reason = now_counted.reason_by_status[index];
    const bool held_back = status == ResponseStatus::incomplete && !reason.empty() &&
                           reason != "max_output_tokens" && reason != "max_tokens";
    if ((status == ResponseStatus::failed || held_back) && !std::exchange(failure_logged_, true))
      log_.warn("response.failed", {{"session", session.identity().session_id},
                                    {"trace_id", trace_id_},
                                    {"reason", reason},
                                    {"status", std::string(transcript::to_string(status))}});
    tally_.response_ended(status, reason, more);
    responses_[index] = now_counted.by_status[index];
  }
}

}  // namespace verbatim::relay
