// What is counted. Each worker thread counts into a tally of its own without locks or read-modify-
// write instructions; a scrape adds the tallies up and prints them in Prometheus' text format.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "server/net/answer_memory.hpp"
#include "server/net/body_memory.hpp"
#include "server/net/connection_counts.hpp"
#include "server/net/large_messages.hpp"
#include "server/relay/access/admission.hpp"
#include "session/budget.hpp"
#include "session/outbox.hpp"
#include "session/transcript/close_reason.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/turn.hpp"
#include "storage/journal/sqlite_journal.hpp"
#include "storage/sqlite/wal_file.hpp"

namespace verbatim::server {

/// Written by one thread, read by any.
class Count {
 public:
  void add(std::uint64_t by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

enum class Way : std::uint8_t { to_upstream = 0, to_client = 1 };

class Histogram {
 public:
  /// Upper bounds in microseconds; beyond the last is +Inf.
  static constexpr std::array<std::int64_t, 15> bounds_us = {
      50,     100,    200,    300,     500,     1'000,     2'000,    5'000,
      10'000, 20'000, 50'000, 100'000, 500'000, 1'000'000, 5'000'000};
  void observe_us(std::int64_t value);

  std::array<Count, bounds_us.size() + 1> buckets;
  Count sum_us;
};

/// Why responses end, as far as the label of a metric names it: a provider's own words must not
/// make series without end. Empty: no reason was given.
inline constexpr std::array<std::string_view, 12> response_reasons = {"",
                                                                      "insufficient_quota",
                                                                      "rate_limit_exceeded",
                                                                      "content_filter",
                                                                      "turn_detected",
                                                                      "client_cancelled",
                                                                      "max_output_tokens",
                                                                      "server_error",
                                                                      "invalid_request_error",
                                                                      "connection_lost",
                                                                      "session_expired",
                                                                      "invalid_api_key"};

/// One worker's counts.
struct Tally {
  static constexpr std::size_t ways = 2;
  static constexpr std::size_t kinds = 3;
  std::array<std::array<Count, kinds>, ways> messages;
  std::array<std::array<Count, kinds>, ways> bytes;
  std::array<std::array<Histogram, kinds>, ways> delay;
  std::array<Count, session::close_reason_count> ended;  ///< by row of session::close_reasons
  std::array<std::array<Count, session::turn_status_count>, session::role_count> turns;
  std::array<Count, session::unplaced_kinds> unplaced_texts;  ///< by Unplaced
  /// By ResponseStatus and place in response_reasons; the last is any other reason.
  std::array<std::array<Count, response_reasons.size() + 1>, 5> responses;
  Count sessions_opened;
  Count client_messages_refused;
  std::array<Count, ways> messages_too_large;
  Count upgrades_refused;
  Count sessions_detached;  ///< now: one that comes back is taken off again
  Count clients_resumed;
  Count clients_resumed_with_snapshot;
  Count upstream_reconnects;
  Count upstream_rotations;
  Count own_requests_refused;  ///< by the provider: what relays asked of it for themselves
  Count rebuild_items_given;
  Count rebuild_items_left_out;
  Count rebuild_items_refused;
  std::array<Count, 7> refused_by;  ///< AdmissionLimit
  std::array<Count, session::limit_count> limits_notified;
  std::array<Count, session::limit_count> limits_reached;
  Count input_tokens;
  Count output_tokens;
  Count input_audio_ms;
  Count output_audio_ms;

  void relayed(Way way, session::MessageKind kind, std::size_t size, std::int64_t delay_us);
  void not_admitted(AdmissionLimit limit) { refused_by[static_cast<std::size_t>(limit)].add(); }
  void response_ended(session::ResponseStatus status, std::string_view reason, std::uint64_t count);
  void session_used(const session::Usage& used, const session::Budget& budget);
  void session_ended(session::CloseReason reason, const session::TurnCounts& turns_of_it);
};

struct StorageGauges {
  storage::JournalState state = storage::JournalState::working;
  std::size_t queue_bytes = 0;
  std::size_t log_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t stalls = 0;  ///< counted, since the start
  bool log_large = false;    ///< beyond journal.log_bytes_max
  std::uint64_t reads_broken_off = 0;
};

/// Of one webhook's target, counted since the start.
struct WebhookGauges {
  std::string target;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;        ///< tries
  std::uint64_t dead = 0;          ///< messages given up
  std::uint64_t waiting = 0;       ///< now, not delivered yet
  std::uint64_t dead_letters = 0;  ///< now, not driven again
  double oldest_seconds = 0;       ///< age of the oldest that waits
};

/// Sessions erased, counted since the start.
struct ErasureGauges {
  std::uint64_t by_request = 0;
  std::uint64_t by_retention = 0;
};

/// Of those who watch sessions; counted by any thread, far from any conversation.
struct FeedCounts {
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> events{0};
};
struct FeedGauges {
  std::size_t watchers = 0;
  std::uint64_t refused = 0;
  std::uint64_t dropped = 0;
  std::uint64_t events = 0;
};

/// What is not counted by workers.
struct Gauges {
  std::size_t live_sessions = 0;
  bool draining = false;
  StorageGauges storage;
  std::vector<WebhookGauges> webhooks;
  ErasureGauges erased;
  FeedGauges feed;
  LargeMessages::Counts large_messages;
  BodyMemory::Counts bodies;
  AnswerMemory::Counts answers;
};

class Metrics {
 public:
  explicit Metrics(std::size_t workers) : tallies_(workers) {}
  Tally& tally(std::size_t worker) { return tallies_[worker]; }

  /// Any thread. `journal_stats` is what happened since the last call.
  std::string render(const Gauges& gauges, const storage::JournalStats& journal_stats);
  void count_journal_failure(storage::Failure failure);
  ConnectionCounts& connection_counts() { return connections_; }
  /// What the recovery found of the logs.
  void found_logs(const std::vector<storage::LogFinding>& logs) {
    const std::lock_guard lock(scrape_);
    found_logs_ = logs;
  }

 private:
  std::vector<Tally> tallies_;
  std::mutex scrape_;  ///< one scrape at a time; no session's path comes here
  storage::JournalStats journal_total_;
  std::vector<storage::LogFinding> found_logs_;
  std::array<std::atomic<std::uint64_t>, 16> journal_failures_{};
  ConnectionCounts connections_;
};

}  // namespace verbatim::server
