// Metrics of what workers count (tally.hpp).
#include <algorithm>
#include <array>

#include "server/relay/http_metrics.hpp"
#include "server/relay/metric_family.hpp"
#include "server/relay/metrics.hpp"

namespace verbatim::relay {

namespace {

struct TallySource {
  const std::vector<Tally>& tallies;
  std::size_t live_sessions;
  std::size_t recovering_sessions;
};

constexpr std::array<const char*, Tally::ways> way_names = {"to_upstream", "to_client"};
constexpr std::array<const char*, Tally::kinds> kind_names = {"audio", "text", "other"};
constexpr std::array<const char*, access::admission_limit_count> admission_names = {
    "sessions",    "sessions_per_user", "connects_per_minute", "user_audio_seconds",
    "user_tokens", "descriptors",       "journal_bytes"};
static_assert(way_names.back() && kind_names.back() && admission_names.back(),
              "each value of the enumeration has a name");

/// Of all workers. `read` gives the count of a tally.
template <class Read>
std::uint64_t total(const TallySource& source, Read read) {
  std::uint64_t sum = 0;
  for (const Tally& tally : source.tallies) sum += read(tally).get();
  return sum;
}

std::uint64_t total(const TallySource& source, Count Tally::*member) {
  return total(source, [member](const Tally& tally) -> const Count& { return tally.*member; });
}

/// A family without labels.
template <Count Tally::*member>
void read_total(const TallySource& source, MetricSamples& out) {
  out.add(total(source, member));
}

void read_sessions(const TallySource& source, MetricSamples& out) {
  const std::uint64_t detached = total(source, &Tally::sessions_detached);
  const std::uint64_t live = source.live_sessions;
  out.add({{"state", "detached"}}, detached);
  out.add({{"state", "live"}}, live - std::min(live, detached));
  out.add({{"state", "recovering"}}, source.recovering_sessions);
}

void read_ended(const TallySource& source, MetricSamples& out) {
  for (const transcript::CloseReasonRow& row : transcript::close_reasons) {
    out.add({{"reason", row.name}}, total(source, [&row](const Tally& tally) -> const Count& {
              return tally.ended[transcript::row_number(row.reason)];
            }));
  }
}

/// By direction and kind of the message.
template <auto member>
void read_relayed(const TallySource& source, MetricSamples& out) {
  for (std::size_t way = 0; way < Tally::ways; ++way)
    for (std::size_t kind = 0; kind < Tally::kinds; ++kind)
      out.add({{"direction", way_names[way]}, {"kind", kind_names[kind]}},
              total(source, [way, kind](const Tally& tally) -> const Count& {
                return (tally.*member)[way][kind];
              }));
}

/// `read` gives the histogram of a tally.
template <class Read>
void add_histogram(const TallySource& source, MetricSamples& out, MetricLabels labels, Read read) {
  using One = std::remove_cvref_t<decltype(read(source.tallies.front()))>;
  std::vector<double> bounds;
  for (const auto bound : One::bounds_us) bounds.push_back(static_cast<double>(bound) / 1e6);
  std::vector<std::uint64_t> counts(bounds.size() + 1);
  double sum = 0;
  for (const Tally& tally : source.tallies) {
    const One& one = read(tally);
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += one.buckets[i].get();
    sum += static_cast<double>(one.sum_us.get()) / 1e6;
  }
  out.add_histogram(labels, bounds, counts, sum);
}

void read_delays(const TallySource& source, MetricSamples& out) {
  for (std::size_t way = 0; way < Tally::ways; ++way)
    for (std::size_t kind = 0; kind < Tally::kinds; ++kind)
      add_histogram(
          source, out, {{"direction", way_names[way]}, {"kind", kind_names[kind]}},
          [way, kind](const Tally& tally) -> const Histogram& { return tally.delay[way][kind]; });
}

template <WaitHistogram Tally::*member>
void read_wait(const TallySource& source, MetricSamples& out) {
  add_histogram(source, out, {},
                [](const Tally& tally) -> const WaitHistogram& { return tally.*member; });
}

void read_incomplete(const TallySource& source, MetricSamples& out) {
  for (std::size_t kind = 0; kind <= transcript::gap_kind_count; ++kind) {
    const std::string_view name = kind < transcript::gap_kind_count
                                      ? to_string(static_cast<transcript::GapKind>(kind))
                                      : "cut_off";
    out.add({{"gap", name}}, total(source, [kind](const Tally& tally) -> const Count& {
              return tally.incomplete[kind];
            }));
  }
}

void read_turns(const TallySource& source, MetricSamples& out) {
  using transcript::Role;
  using transcript::TurnStatus;
  for (const Role role : {Role::user, Role::assistant, Role::system}) {
    for (const TurnStatus status :
         {TurnStatus::completed, TurnStatus::interrupted, TurnStatus::cancelled,
          TurnStatus::truncated, TurnStatus::failed}) {
      out.add(
          {{"role", transcript::to_string(role)}, {"status", transcript::to_string(status)}},
          total(source, [role, status](const Tally& tally) -> const Count& {
            return tally.turns[static_cast<std::size_t>(role)][static_cast<std::size_t>(status)];
          }));
    }
  }
}

void read_too_large(const TallySource& source, MetricSamples& out) {
  for (std::size_t way = 0; way < Tally::ways; ++way)
    out.add({{"direction", way_names[way]}},
            total(source, [way](const Tally& tally) -> const Count& {
              return tally.messages_too_large[way];
            }));
}

void read_resumed(const TallySource& source, MetricSamples& out) {
  const std::uint64_t with_snapshot = total(source, &Tally::clients_resumed_with_snapshot);
  const std::uint64_t all = total(source, &Tally::clients_resumed);
  out.add({{"given", "missed"}}, static_cast<double>(all) - static_cast<double>(with_snapshot));
  out.add({{"given", "items"}}, with_snapshot);
}

void read_responses(const TallySource& source, MetricSamples& out) {
  for (std::size_t status = 0; status < Tally::response_statuses; ++status) {
    for (std::size_t reason = 0; reason <= response_reasons.size(); ++reason) {
      const std::uint64_t count =
          total(source, [status, reason](const Tally& tally) -> const Count& {
            return tally.responses[status][reason];
          });
      if (count == 0 && reason != 0) continue;
      const bool known = reason < response_reasons.size();
      out.add({{"status", transcript::to_string(static_cast<transcript::ResponseStatus>(status))},
               {"reason", known ? response_reasons[reason] : "other"}},
              count);
    }
  }
}

void read_unplaced(const TallySource& source, MetricSamples& out) {
  for (std::size_t why = 0; why < transcript::unplaced_kinds; ++why)
    out.add({{"why", transcript::to_string(static_cast<transcript::Unplaced>(why))}},
            total(source,
                  [why](const Tally& tally) -> const Count& { return tally.unplaced_texts[why]; }));
}

/// By session::Limit.
template <auto member>
void read_limits(const TallySource& source, MetricSamples& out) {
  for (const session::Limit limit : session::all_limits)
    out.add({{"limit", session::to_string(limit)}},
            total(source, [limit](const Tally& tally) -> const Count& {
              return (tally.*member)[static_cast<std::size_t>(limit)];
            }));
}

void read_admissions(const TallySource& source, MetricSamples& out) {
  for (std::size_t limit = 0; limit < admission_names.size(); ++limit)
    out.add({{"limit", admission_names[limit]}},
            total(source,
                  [limit](const Tally& tally) -> const Count& { return tally.refused_by[limit]; }));
}

constexpr MetricFamily<TallySource> tally_rows[] = {
    {"verbatim_sessions", "Current number of sessions, by state.", MetricType::gauge,
     read_sessions},
    {"verbatim_sessions_opened_total", "Session attempts opened.", MetricType::counter,
     read_total<&Tally::sessions_opened>},
    {"verbatim_sessions_ended_total", "Sessions ended, by reason.", MetricType::counter,
     read_ended},
    {"verbatim_messages_total", "Messages relayed, by direction and kind.", MetricType::counter,
     read_relayed<&Tally::messages>},
    {"verbatim_message_bytes_total", "Payload bytes relayed, by direction and kind.",
     MetricType::counter, read_relayed<&Tally::bytes>},
    {"verbatim_relay_delay_seconds", "Time from reading a message to writing it, in seconds.",
     MetricType::histogram, read_delays},
    {"verbatim_turns_total", "Turns of ended sessions, by role and status.", MetricType::counter,
     read_turns},
    {"verbatim_messages_too_large_total",
     "Messages not relayed because they exceed session.client_message_bytes_max (to_upstream) or "
     "upstream.message_bytes_max (to_client).",
     MetricType::counter, read_too_large},
    {"verbatim_client_messages_refused_total",
     "Client events that the relay answered with an error event instead of relaying them.",
     MetricType::counter, read_total<&Tally::client_messages_refused>},
    {"verbatim_upgrades_refused_total", "WebSocket upgrades refused.", MetricType::counter,
     read_total<&Tally::upgrades_refused>},
    {"verbatim_clients_resumed_total",
     "Clients that resumed their conversation, by what they got: missed (the missed messages) or "
     "items (a snapshot of the conversation).",
     MetricType::counter, read_resumed},
    {"verbatim_upstream_changes_total",
     "Upstream connections that took over a conversation, by how the previous one ended.",
     MetricType::counter,
     [](const TallySource& source, MetricSamples& out) {
       out.add({{"before", "lost"}}, total(source, &Tally::upstream_reconnects));
       out.add({{"before", "rotated"}}, total(source, &Tally::upstream_rotations));
     }},
    {"verbatim_own_requests_refused_total",
     "The relay's own requests that a provider refused: a token's configuration or input "
     "transcription. The log has the code.",
     MetricType::counter, read_total<&Tally::own_requests_refused>},
    {"verbatim_rebuild_items_total",
     "Conversation items for a new upstream connection: accepted (given), refused by the provider, "
     "or left out by the relay.",
     MetricType::counter,
     [](const TallySource& source, MetricSamples& out) {
       out.add({{"outcome", "given"}}, total(source, &Tally::rebuild_items_given));
       out.add({{"outcome", "left_out"}}, total(source, &Tally::rebuild_items_left_out));
       out.add({{"outcome", "refused"}}, total(source, &Tally::rebuild_items_refused));
     }},
    {"verbatim_responses_total", "Ended responses of the model, by status and reason.",
     MetricType::counter, read_responses},
    {"verbatim_unplaced_text_total",
     "Provider messages that could not be assigned to a turn although they may contain text, by "
     "cause. Their transcripts are incomplete.",
     MetricType::counter, read_unplaced},
    {"verbatim_sessions_incomplete_total",
     "Attempts that ended with an incomplete transcript, by the kind of gap. An attempt counts "
     "once for each kind.",
     MetricType::counter, read_incomplete},
    {"verbatim_first_audio_seconds",
     "Time from the end of a user's speech, or from a client's request for an answer, until the "
     "first "
     "audio of the answer is sent to the client, in seconds.",
     MetricType::histogram, read_wait<&Tally::first_audio>},
    {"verbatim_upstream_dial_seconds",
     "Time to open a connection to the provider, from name lookup to upgrade, in seconds.",
     MetricType::histogram, read_wait<&Tally::upstream_dial>},
    {"verbatim_limit_warnings_total",
     "Warnings that a limit was near, by limit; counted when the session ends.",
     MetricType::counter, read_limits<&Tally::limits_notified>},
    {"verbatim_limits_reached_total", "Sessions ended by a limit, by limit.", MetricType::counter,
     read_limits<&Tally::limits_reached>},
    {"verbatim_admissions_refused_total", "Conversations refused at their start, by limit.",
     MetricType::counter, read_admissions},
    {"verbatim_provider_tokens_total",
     "Tokens used by ended sessions, as the provider counts them.", MetricType::counter,
     [](const TallySource& source, MetricSamples& out) {
       out.add({{"direction", "input"}}, total(source, &Tally::input_tokens));
       out.add({{"direction", "output"}}, total(source, &Tally::output_tokens));
     }},
    {"verbatim_audio_seconds_total", "Seconds of audio in ended sessions.", MetricType::counter,
     [](const TallySource& source, MetricSamples& out) {
       const auto seconds = [&source](Count Tally::*ms) {
         return static_cast<double>(total(source, ms)) / 1000;
       };
       out.add({{"direction", "input"}}, seconds(&Tally::input_audio_ms));
       out.add({{"direction", "output"}}, seconds(&Tally::output_audio_ms));
     }},
};

}  // namespace

void Metrics::add_metrics(MetricsPage& page, std::size_t live_sessions,
                          std::size_t recovering_sessions) const {
  page.add(tally_rows, TallySource{tallies_, live_sessions, recovering_sessions});
  add_connection_metrics(page, connections_);
}

}  // namespace verbatim::relay
