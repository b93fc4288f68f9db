#include "server/relay/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace verbatim::server {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr const char* way_names[] = {"to_upstream", "to_client"};
constexpr const char* kind_names[] = {"audio", "text", "other"};

MetricFamily family(const char* name, const char* help, MetricType type) {
  MetricFamily made;
  made.name = name;
  made.help = help;
  made.type = type;
  return made;
}

using Labels = std::vector<std::pair<std::string, std::string>>;

ClientMetric labelled(const Labels& labels) {
  ClientMetric metric;
  for (const auto& [name, value] : labels) {
    ClientMetric::Label label;
    label.name = name;
    label.value = value;
    metric.label.push_back(std::move(label));
  }
  return metric;
}

void add_counter(MetricFamily& to, const Labels& labels, double value) {
  ClientMetric metric = labelled(labels);
  metric.counter.value = value;
  to.metric.push_back(std::move(metric));
}

void add_gauge(MetricFamily& to, const Labels& labels, double value) {
  ClientMetric metric = labelled(labels);
  metric.gauge.value = value;
  to.metric.push_back(std::move(metric));
}

// `counts` are per bucket; Prometheus wants them cumulative.
void add_histogram(MetricFamily& to, const Labels& labels, const std::vector<double>& bounds,
                   const std::vector<std::uint64_t>& counts, double sum) {
  ClientMetric metric = labelled(labels);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    ClientMetric::Bucket bucket;
    bucket.cumulative_count = cumulative;
    bucket.upper_bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back(bucket);
  }
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = sum;
  to.metric.push_back(std::move(metric));
}

template <class Read>
double total(const std::vector<Tally>& tallies, Read read) {
  std::uint64_t sum = 0;
  for (const Tally& tally : tallies) sum += read(tally).get();
  return static_cast<double>(sum);
}

/// How the model's responses ended, and what of its text no turn can hold.
void add_responses(std::vector<MetricFamily>& families, const std::vector<Tally>& tallies) {
  auto responses =
      family("verbatim_responses_total", "Ended responses of the model, by status and reason.",
             MetricType::Counter);
  for (std::size_t status = 0; status < std::tuple_size_v<decltype(Tally::responses)>; ++status) {
    for (std::size_t reason = 0; reason <= response_reasons.size(); ++reason) {
      const double count = total(
          tallies, [ status, reason ](auto& t) -> auto& { return t.responses[status][reason]; });
      if (count == 0 && reason != 0) continue;
      const bool known = reason < response_reasons.size();
      add_counter(responses,
                  {{"status", std::string(to_string(static_cast<session::ResponseStatus>(status)))},
                   {"reason", known ? std::string(response_reasons[reason]) : "other"}},
                  count);
    }
  }
  families.push_back(std::move(responses));
  auto unplaced = family("verbatim_unplaced_text_total",
                         "Provider messages that could not be assigned to a turn although they "
                         "may contain text, by cause. Their transcripts are incomplete.",
                         MetricType::Counter);
  for (std::size_t why = 0; why < session::unplaced_kinds; ++why) {
    add_counter(unplaced, {{"why", std::string(to_string(static_cast<session::Unplaced>(why)))}},
                total(
                    tallies, [why](auto& t) -> auto& { return t.unplaced_texts[why]; }));
  }
  families.push_back(std::move(unplaced));
}

/// What was used, of what there is a limit for, and which limits were met.
void add_limits(std::vector<MetricFamily>& families, const std::vector<Tally>& tallies) {
  const auto count = [&tallies](auto member) {
    std::uint64_t sum = 0;
    for (const Tally& tally : tallies) sum += member(tally).get();
    return static_cast<double>(sum);
  };
  auto told =
      family("verbatim_limit_warnings_total",
             "Warnings in ended sessions that a limit was near, by limit.", MetricType::Counter);
  auto reached = family("verbatim_limits_reached_total", "Sessions ended by a limit, by limit.",
                        MetricType::Counter);
  for (const session::Limit limit : session::all_limits) {
    const auto i = static_cast<std::size_t>(limit);
    const Labels labels = {{"limit", std::string(to_string(limit))}};
    add_counter(told, labels, count([i](auto& t) -> auto& { return t.limits_notified[i]; }));
    add_counter(reached, labels, count([i](auto& t) -> auto& { return t.limits_reached[i]; }));
  }
  families.push_back(std::move(told));
  families.push_back(std::move(reached));
  constexpr const char* admission_names[] = {
      "sessions",    "sessions_per_user", "connects_per_minute", "user_audio_seconds",
      "user_tokens", "descriptors",       "journal_bytes"};
  auto refused = family("verbatim_admissions_refused_total",
                        "Conversations refused at their start, by limit.", MetricType::Counter);
  for (std::size_t i = 0; i < std::size(admission_names); ++i) {
    add_counter(refused, {{"limit", admission_names[i]}},
                count([i](auto& t) -> auto& { return t.refused_by[i]; }));
  }
  families.push_back(std::move(refused));
  auto tokens =
      family("verbatim_provider_tokens_total",
             "Tokens used by ended sessions, as the provider counts them.", MetricType::Counter);
  add_counter(tokens, {{"direction", "input"}},
              count([](auto& t) -> auto& { return t.input_tokens; }));
  add_counter(tokens, {{"direction", "output"}},
              count([](auto& t) -> auto& { return t.output_tokens; }));
  families.push_back(std::move(tokens));
  auto audio = family("verbatim_audio_seconds_total", "Seconds of audio in ended sessions.",
                      MetricType::Counter);
  add_counter(audio, {{"direction", "input"}},
              count([](auto& t) -> auto& { return t.input_audio_ms; }) / 1000);
  add_counter(audio, {{"direction", "output"}},
              count([](auto& t) -> auto& { return t.output_audio_ms; }) / 1000);
  families.push_back(std::move(audio));
}

MetricFamily found_logs_family(const std::vector<storage::LogFinding>& logs) {
  using storage::LogState;
  auto found = family("verbatim_recovery_logs",
                      "Write-ahead logs found at start, by state and by whether durable rows "
                      "are missing.",
                      MetricType::Gauge);
  for (const LogState state : {LogState::missing, LogState::empty, LogState::cut_short,
                               LogState::unreadable, LogState::damaged}) {
    for (const bool lost : {false, true}) {
      const auto count = std::count_if(logs.begin(), logs.end(), [&](const auto& one) {
        return one.state == state && one.lost == lost;
      });
      add_gauge(found, {{"state", to_string(state)}, {"lost", lost ? "true" : "false"}},
                static_cast<double>(count));
    }
  }
  return found;
}

}  // namespace

void Histogram::observe_us(std::int64_t value) {
  const auto at = std::lower_bound(bounds_us.begin(), bounds_us.end(), value);
  buckets[static_cast<std::size_t>(at - bounds_us.begin())].add();
  sum_us.add(static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0)));
}

void Tally::relayed(Way way, session::MessageKind kind, std::size_t size, std::int64_t delay_us) {
  const auto w = static_cast<std::size_t>(way);
  const auto k = static_cast<std::size_t>(kind);
  messages[w][k].add();
  bytes[w][k].add(size);
  delay[w][k].observe_us(delay_us);
}

void Tally::session_ended(session::CloseReason reason, const session::TurnCounts& turns_of_it) {
  ended[session::row_number(reason)].add();
  for (std::size_t role = 0; role < turns.size(); ++role)
    for (std::size_t status = 0; status < turns[role].size(); ++status)
      turns[role][status].add(turns_of_it[role][status]);
}

void Tally::response_ended(session::ResponseStatus status, std::string_view reason,
                           std::uint64_t count) {
  const auto known = std::find(response_reasons.begin(), response_reasons.end(), reason);
  const auto place = static_cast<std::size_t>(known - response_reasons.begin());
  responses[static_cast<std::size_t>(status)][place].add(count);
}

void Tally::session_used(const session::Usage& used, const session::Budget& budget) {
  const auto count = [](Count& to, std::int64_t by) { to.add(static_cast<std::uint64_t>(by)); };
  count(input_tokens, used.input_tokens);
  count(output_tokens, used.output_tokens);
  count(input_audio_ms, used.input_audio_ms);
  count(output_audio_ms, used.output_audio_ms);
  for (std::size_t i = 0; i < session::limit_count; ++i)
    limits_notified[i].add(budget.warnings()[i]);
  if (budget.reached()) limits_reached[static_cast<std::size_t>(*budget.reached())].add();
}

void Metrics::count_journal_failure(storage::Failure failure) {
  ++journal_failures_[static_cast<std::size_t>(failure)];
}

std::string Metrics::render(const Gauges& gauges, const storage::JournalStats& stats) {
  const std::lock_guard lock(scrape_);
  std::vector<MetricFamily> families;

  auto sessions =
      family("verbatim_sessions", "Current number of sessions, by state.", MetricType::Gauge);
  const std::uint64_t away = std::accumulate(
      tallies_.begin(), tallies_.end(), std::uint64_t{0},
      [](std::uint64_t sum, const Tally& one) { return sum + one.sessions_detached.get(); });
  const auto detached = static_cast<double>(away);
  add_gauge(sessions, {{"state", "detached"}}, detached);
  add_gauge(sessions, {{"state", "live"}},
            std::max(0.0, static_cast<double>(gauges.live_sessions) - detached));
  families.push_back(std::move(sessions));

  auto opened =
      family("verbatim_sessions_opened_total", "Session attempts opened.", MetricType::Counter);
  add_counter(opened, {},
              total(
                  tallies_, [](auto& t) -> auto& { return t.sessions_opened; }));
  families.push_back(std::move(opened));

  auto ended =
      family("verbatim_sessions_ended_total", "Sessions ended, by reason.", MetricType::Counter);
  for (const session::CloseReasonRow& row : session::close_reasons) {
    add_counter(ended, {{"reason", std::string(row.name)}},
                total(
                    tallies_, [&](auto& t) -> auto& { return t.ended[row_number(row.reason)]; }));
  }
  families.push_back(std::move(ended));

  auto messages = family("verbatim_messages_total", "Messages relayed, by direction and kind.",
                         MetricType::Counter);
  auto bytes = family("verbatim_message_bytes_total",
                      "Payload bytes relayed, by direction and kind.", MetricType::Counter);
  auto delay =
      family("verbatim_relay_delay_seconds",
             "Time from reading a message to writing it, in seconds.", MetricType::Histogram);
  std::vector<double> bounds;
  for (const auto bound : Histogram::bounds_us) bounds.push_back(static_cast<double>(bound) / 1e6);
  for (std::size_t w = 0; w < Tally::ways; ++w) {
    for (std::size_t k = 0; k < Tally::kinds; ++k) {
      const Labels labels = {{"direction", way_names[w]}, {"kind", kind_names[k]}};
      add_counter(messages, labels,
                  total(
                      tallies_, [&](auto& t) -> auto& { return t.messages[w][k]; }));
      add_counter(bytes, labels,
                  total(
                      tallies_, [&](auto& t) -> auto& { return t.bytes[w][k]; }));
      std::vector<std::uint64_t> counts(Histogram::bounds_us.size() + 1);
      double sum = 0;
      for (const Tally& tally : tallies_) {
        const Histogram& one = tally.delay[w][k];
        for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += one.buckets[i].get();
        sum += static_cast<double>(one.sum_us.get()) / 1e6;
      }
      add_histogram(delay, labels, bounds, counts, sum);
    }
  }
  families.push_back(std::move(messages));
  families.push_back(std::move(bytes));
  families.push_back(std::move(delay));

  auto turns = family("verbatim_turns_total", "Turns of ended sessions, by role and status.",
                      MetricType::Counter);
  using session::Role;
  using session::TurnStatus;
  for (const Role role : {Role::user, Role::assistant, Role::system}) {
    for (const TurnStatus status :
         {TurnStatus::completed, TurnStatus::interrupted, TurnStatus::cancelled,
          TurnStatus::truncated, TurnStatus::failed}) {
      add_counter(
          turns,
          {{"role", std::string(to_string(role))}, {"status", std::string(to_string(status))}},
          total(
              tallies_, [&](auto& t) -> auto& {
                return t.turns[static_cast<std::size_t>(role)][static_cast<std::size_t>(status)];
              }));
    }
  }
  families.push_back(std::move(turns));

  auto large = family("verbatim_large_message_bytes",
                      "Memory of large messages (server.large_message_bytes). moving: being "
                      "received or waiting to be sent; kept: retained to be sent again.",
                      MetricType::Gauge);
  add_gauge(large, {{"part", "moving"}}, static_cast<double>(gauges.large_messages.moving));
  add_gauge(large, {{"part", "kept"}}, static_cast<double>(gauges.large_messages.kept));
  families.push_back(std::move(large));
  auto waiting = family("verbatim_large_messages_waiting",
                        "Connections whose next large message waits until memory for it is free.",
                        MetricType::Gauge);
  add_gauge(waiting, {}, static_cast<double>(gauges.large_messages.waiting));
  families.push_back(std::move(waiting));
  auto waits = family("verbatim_large_message_waits_total",
                      "Times that a large message had to wait for memory.", MetricType::Counter);
  add_counter(waits, {}, static_cast<double>(gauges.large_messages.waits));
  families.push_back(std::move(waits));
  auto bodies = family("verbatim_request_body_bytes",
                       "Memory that HTTP request bodies use beyond the first 16 KiB of each.",
                       MetricType::Gauge);
  add_gauge(bodies, {}, static_cast<double>(gauges.bodies.held));
  families.push_back(std::move(bodies));
  auto bodies_refused =
      family("verbatim_request_bodies_refused_total",
             "Requests refused because server.bodies_bytes_max was reached.", MetricType::Counter);
  add_counter(bodies_refused, {}, static_cast<double>(gauges.bodies.refused));
  families.push_back(std::move(bodies_refused));
  auto answers =
      family("verbatim_answer_bytes", "Memory that unread HTTP answers larger than 64 KiB use.",
             MetricType::Gauge);
  add_gauge(answers, {}, static_cast<double>(gauges.answers.held));
  families.push_back(std::move(answers));
  auto answers_refused =
      family("verbatim_answers_refused_total",
             "Answers refused because server.answers_bytes_max was reached.", MetricType::Counter);
  add_counter(answers_refused, {}, static_cast<double>(gauges.answers.refused));
  families.push_back(std::move(answers_refused));

  auto too_large = family("verbatim_messages_too_large_total",
                          "Messages not relayed because they exceed "
                          "session.client_message_bytes_max (to_upstream) or "
                          "upstream.message_bytes_max (to_client).",
                          MetricType::Counter);
  for (std::size_t w = 0; w < Tally::ways; ++w) {
    add_counter(too_large, {{"direction", way_names[w]}},
                total(
                    tallies_, [&](auto& t) -> auto& { return t.messages_too_large[w]; }));
  }
  families.push_back(std::move(too_large));

  auto refused =
      family("verbatim_client_messages_refused_total",
             "Client events that the relay answered with an error event instead of relaying them.",
             MetricType::Counter);
  add_counter(refused, {},
              total(
                  tallies_, [](auto& t) -> auto& { return t.client_messages_refused; }));
  families.push_back(std::move(refused));
  auto denied =
      family("verbatim_upgrades_refused_total", "WebSocket upgrades refused.", MetricType::Counter);
  add_counter(denied, {},
              total(
                  tallies_, [](auto& t) -> auto& { return t.upgrades_refused; }));
  families.push_back(std::move(denied));
  auto resumed = family("verbatim_clients_resumed_total",
                        "Clients that resumed their conversation, by what they got: missed (the "
                        "missed messages) or items (a snapshot of the conversation).",
                        MetricType::Counter);
  const auto afresh = total(
      tallies_, [](auto& t) -> auto& { return t.clients_resumed_with_snapshot; });
  const auto came_back = total(
      tallies_, [](auto& t) -> auto& { return t.clients_resumed; });
  add_counter(resumed, {{"given", "missed"}}, came_back - afresh);
  add_counter(resumed, {{"given", "items"}}, afresh);
  families.push_back(std::move(resumed));
  auto followed = family("verbatim_upstream_changes_total",
                         "Upstream connections that took over a conversation, by how the previous "
                         "one ended.",
                         MetricType::Counter);
  add_counter(followed, {{"before", "lost"}},
              total(
                  tallies_, [](auto& t) -> auto& { return t.upstream_reconnects; }));
  add_counter(followed, {{"before", "rotated"}},
              total(
                  tallies_, [](auto& t) -> auto& { return t.upstream_rotations; }));
  families.push_back(std::move(followed));
  auto own_refused = family("verbatim_own_requests_refused_total",
                            "The relay's own requests that a provider refused: a token's "
                            "configuration or input transcription. The log has the code.",
                            MetricType::Counter);
  add_counter(own_refused, {},
              total(
                  tallies_, [](auto& t) -> auto& { return t.own_requests_refused; }));
  families.push_back(std::move(own_refused));
  auto rebuilt = family("verbatim_rebuild_items_total",
                        "Conversation items for a new upstream connection: accepted (given), "
                        "refused by the provider, or left out by the relay.",
                        MetricType::Counter);
  add_counter(rebuilt, {{"outcome", "given"}},
              total(
                  tallies_, [](auto& t) -> auto& { return t.rebuild_items_given; }));
  add_counter(rebuilt, {{"outcome", "left_out"}},
              total(
                  tallies_, [](auto& t) -> auto& { return t.rebuild_items_left_out; }));
  add_counter(rebuilt, {{"outcome", "refused"}},
              total(
                  tallies_, [](auto& t) -> auto& { return t.rebuild_items_refused; }));
  families.push_back(std::move(rebuilt));

  add_responses(families, tallies_);
  add_limits(families, tallies_);

  for (std::size_t i = 0; i < storage::JournalStats::bucket_count; ++i) {
    journal_total_.wait_buckets[i] += stats.wait_buckets[i];
  }
  journal_total_.wait_sum_seconds += stats.wait_sum_seconds;
  journal_total_.commits += stats.commits;
  journal_total_.rows += stats.rows;
  journal_total_.bytes += stats.bytes;
  auto wait = family("verbatim_journal_wait_seconds",
                     "Time from submitting a row to its durable commit, in seconds.",
                     MetricType::Histogram);
  add_histogram(wait, {},
                {storage::JournalStats::bounds,
                 storage::JournalStats::bounds + storage::JournalStats::bucket_count - 1},
                {journal_total_.wait_buckets,
                 journal_total_.wait_buckets + storage::JournalStats::bucket_count},
                journal_total_.wait_sum_seconds);
  families.push_back(std::move(wait));
  auto commits = family("verbatim_journal_commits_total", "Group commits of the journal.",
                        MetricType::Counter);
  add_counter(commits, {}, static_cast<double>(journal_total_.commits));
  families.push_back(std::move(commits));
  auto rows =
      family("verbatim_journal_rows_total", "Rows committed to the journal.", MetricType::Counter);
  add_counter(rows, {}, static_cast<double>(journal_total_.rows));
  families.push_back(std::move(rows));

  auto failures =
      family("verbatim_journal_failures_total", "Journal failures, by kind.", MetricType::Counter);
  using storage::Failure;
  for (const Failure failure :
       {Failure::disk_full, Failure::io_error, Failure::corrupt, Failure::taken_away,
        Failure::read_only, Failure::busy, Failure::queue_full, Failure::other}) {
    add_counter(failures, {{"kind", to_string(failure)}},
                static_cast<double>(journal_failures_[static_cast<std::size_t>(failure)].load()));
  }
  families.push_back(std::move(failures));

  families.push_back(found_logs_family(found_logs_));
  auto turned_away =
      family("verbatim_connections_refused_total",
             "Connections closed or refused before HTTP, by the limit that was reached.",
             MetricType::Counter);
  constexpr std::array<const char*, connection_refusals> refusals = {
      "connections_max", "descriptors", "connections_per_address"};
  for (std::size_t why = 0; why < refusals.size(); ++why)
    add_counter(turned_away, {{"why", refusals[why]}},
                static_cast<double>(connections_.refused[why].load()));
  families.push_back(std::move(turned_away));
  auto closed = family("verbatim_idle_connections_closed_total",
                       "Idle HTTP connections closed to make room for a new connection.",
                       MetricType::Counter);
  add_counter(closed, {}, static_cast<double>(connections_.closed_idle.load()));
  families.push_back(std::move(closed));
  auto handshakes =
      family("verbatim_tls_handshakes_failed_total",
             "Connections whose TLS handshake failed or took too long.", MetricType::Counter);
  add_counter(handshakes, {}, static_cast<double>(connections_.handshakes_failed.load()));
  families.push_back(std::move(handshakes));

  const StorageGauges& storage = gauges.storage;
  using verbatim::storage::JournalState;
  auto state =
      family("verbatim_journal_state", "1 for the current state of the journal, 0 for the others.",
             MetricType::Gauge);
  for (const JournalState one :
       {JournalState::working, JournalState::stalled, JournalState::unavailable,
        JournalState::fallback, JournalState::failed}) {
    add_gauge(state, {{"state", to_string(one)}}, storage.state == one ? 1 : 0);
  }
  families.push_back(std::move(state));
  auto stalls =
      family("verbatim_journal_stalls_total",
             "Times that the journal stalled on a full or locked disk.", MetricType::Counter);
  add_counter(stalls, {}, static_cast<double>(storage.stalls));
  families.push_back(std::move(stalls));
  auto held = family("verbatim_journal_queue_bytes", "Bytes waiting to be written to the journal.",
                     MetricType::Gauge);
  add_gauge(held, {}, static_cast<double>(storage.queue_bytes));
  families.push_back(std::move(held));
  auto log = family("verbatim_journal_log_bytes",
                    "Size of the write-ahead log. It grows while a reader holds it open.",
                    MetricType::Gauge);
  add_gauge(log, {}, static_cast<double>(storage.log_bytes));
  families.push_back(std::move(log));
  auto log_large = family("verbatim_journal_log_large",
                          "1 while the write-ahead log is larger than journal.log_bytes_max.",
                          MetricType::Gauge);
  add_gauge(log_large, {}, storage.log_large ? 1 : 0);
  families.push_back(std::move(log_large));
  auto broken_off = family("verbatim_reads_broken_off_total",
                           "Checks at which the server ended one of its own reads because the read "
                           "held a large write-ahead log (journal.read_max).",
                           MetricType::Counter);
  add_counter(broken_off, {}, static_cast<double>(storage.reads_broken_off));
  families.push_back(std::move(broken_off));
  auto free = family("verbatim_storage_free_bytes", "Free bytes on the disk of server.data_dir.",
                     MetricType::Gauge);
  add_gauge(free, {}, static_cast<double>(storage.free_bytes));
  families.push_back(std::move(free));
  auto draining =
      family("verbatim_draining", "1 while the server shuts down after SIGTERM or SIGINT.",
             MetricType::Gauge);
  add_gauge(draining, {}, gauges.draining ? 1 : 0);
  families.push_back(std::move(draining));

  auto calls =
      family("verbatim_webhook_calls_total",
             "Webhook calls by target and result; dead counts messages that are not sent again.",
             MetricType::Counter);
  for (const WebhookGauges& one : gauges.webhooks) {
    add_counter(calls, {{"target", one.target}, {"result", "delivered"}}, one.delivered);
    add_counter(calls, {{"target", one.target}, {"result", "failed"}}, one.failed);
    add_counter(calls, {{"target", one.target}, {"result", "dead"}}, one.dead);
  }
  families.push_back(std::move(calls));
  auto letters = family("verbatim_webhook_messages",
                        "Webhook messages: waiting to be delivered, or dead (not sent again).",
                        MetricType::Gauge);
  auto age =
      family("verbatim_webhook_oldest_seconds",
             "Age of the oldest webhook message that waits to be delivered.", MetricType::Gauge);
  for (const WebhookGauges& one : gauges.webhooks) {
    add_gauge(letters, {{"target", one.target}, {"state", "waiting"}}, one.waiting);
    add_gauge(letters, {{"target", one.target}, {"state", "dead"}}, one.dead_letters);
    add_gauge(age, {{"target", one.target}}, one.oldest_seconds);
  }
  families.push_back(std::move(letters));
  families.push_back(std::move(age));

  auto erased = family("verbatim_sessions_erased_total",
                       "Sessions erased, by request or by retention.", MetricType::Counter);
  add_counter(erased, {{"by", "request"}}, static_cast<double>(gauges.erased.by_request));
  add_counter(erased, {{"by", "retention"}}, static_cast<double>(gauges.erased.by_retention));
  families.push_back(std::move(erased));

  auto watchers =
      family("verbatim_watchers", "Current number of event-stream subscribers.", MetricType::Gauge);
  add_gauge(watchers, {}, static_cast<double>(gauges.feed.watchers));
  families.push_back(std::move(watchers));
  auto shut = family(
      "verbatim_watchers_shut_out_total",
      "Event-stream subscribers refused at a limit, or disconnected because they were too slow.",
      MetricType::Counter);
  add_counter(shut, {{"why", "limit"}}, static_cast<double>(gauges.feed.refused));
  add_counter(shut, {{"why", "slow"}}, static_cast<double>(gauges.feed.dropped));
  families.push_back(std::move(shut));
  auto shown = family("verbatim_watcher_events_total",
                      "Events written to event-stream subscribers.", MetricType::Counter);
  add_counter(shown, {}, static_cast<double>(gauges.feed.events));
  families.push_back(std::move(shown));

  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace verbatim::server
