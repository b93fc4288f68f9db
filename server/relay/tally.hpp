// The counters of one worker thread. They need no locks or read-modify-write instructions, since
// each thread has a tally of its own. tally_metrics.cpp has the metrics that are read from it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/relay/access/admission.hpp"
#include "session/budget.hpp"
#include "session/outcome.hpp"
#include "session/protocol/message.hpp"
#include "session/transcript/close_reason.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::relay {

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

/// Upper bounds of a histogram's buckets in microseconds; beyond the last is +Inf.
inline constexpr std::array<std::int64_t, 15> relay_bounds_us = {
    50,     100,    200,    300,     500,     1'000,     2'000,    5'000,
    10'000, 20'000, 50'000, 100'000, 500'000, 1'000'000, 5'000'000};
/// Bounds for delays that a person notices.
inline constexpr std::array<std::int64_t, 14> wait_bounds_us = {
    50'000,    100'000,   200'000,   300'000,   400'000,   500'000,    700'000,
    1'000'000, 1'500'000, 2'000'000, 3'000'000, 5'000'000, 10'000'000, 30'000'000};

template <const auto& bounds>
class HistogramOf {
 public:
  static constexpr const auto& bounds_us = bounds;
  void observe_us(std::int64_t value) {
    const auto at = std::lower_bound(bounds_us.begin(), bounds_us.end(), value);
    buckets[static_cast<std::size_t>(at - bounds_us.begin())].add();
    sum_us.add(static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0)));
  }

  std::array<Count, bounds.size() + 1> buckets;
  Count sum_us;
};
using Histogram = HistogramOf<relay_bounds_us>;
using WaitHistogram = HistogramOf<wait_bounds_us>;

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
  static constexpr std::size_t ways = static_cast<std::size_t>(Way::to_client) + 1;
  static constexpr std::size_t kinds = static_cast<std::size_t>(protocol::MessageKind::other) + 1;
  static constexpr std::size_t response_statuses =
      static_cast<std::size_t>(transcript::ResponseStatus::other) + 1;
  std::array<std::array<Count, kinds>, ways> messages;
  std::array<std::array<Count, kinds>, ways> bytes;
  std::array<std::array<Histogram, kinds>, ways> delay;
  std::array<Count, transcript::close_reason_count> ended;  ///< by row of transcript::close_reasons
  std::array<std::array<Count, transcript::turn_status_count>, transcript::role_count> turns;
  std::array<Count, transcript::unplaced_kinds> unplaced_texts;  ///< by Unplaced
  /// By ResponseStatus and place in response_reasons; the last is any other reason.
  std::array<std::array<Count, response_reasons.size() + 1>, response_statuses> responses;
  /// By GapKind; the last: a turn was cut off, and no gap is known.
  std::array<Count, transcript::gap_kind_count + 1> incomplete;
  WaitHistogram first_audio;
  WaitHistogram upstream_dial;
  Count sessions_opened;
  Count client_messages_refused;
  std::array<Count, ways> messages_too_large;
  Count upgrades_refused;
  Count sessions_detached;  ///< now: a session whose client returns is subtracted
  Count clients_resumed;
  Count clients_resumed_with_snapshot;
  Count upstream_reconnects;
  Count upstream_rotations;
  Count own_requests_refused;  ///< the relay's requests that the provider refused
  Count rebuild_items_given;
  Count rebuild_items_left_out;
  Count rebuild_items_refused;
  std::array<Count, access::admission_limit_count> refused_by;  ///< by AdmissionLimit
  std::array<Count, session::limit_count> limits_notified;
  std::array<Count, session::limit_count> limits_reached;
  Count input_tokens;
  Count output_tokens;
  Count input_audio_ms;
  Count output_audio_ms;

  void relayed(Way way, protocol::MessageKind kind, std::size_t size, std::int64_t delay_us);
  void not_admitted(access::AdmissionLimit limit) {
    refused_by[static_cast<std::size_t>(limit)].add();
  }
  void response_ended(transcript::ResponseStatus status, std::string_view reason,
                      std::uint64_t count);
  void session_used(const transcript::Usage& used, const session::Budget& budget);
  void session_ended(transcript::CloseReason reason, const session::Outcome& outcome);
};

}  // namespace verbatim::relay
