#include "server/relay/tally.hpp"

#include <algorithm>

namespace verbatim::relay {

void Tally::relayed(Way way, protocol::MessageKind kind, std::size_t size, std::int64_t delay_us) {
  const auto w = static_cast<std::size_t>(way);
  const auto k = static_cast<std::size_t>(kind);
  messages[w][k].add();
  bytes[w][k].add(size);
  delay[w][k].observe_us(delay_us);
}

void Tally::session_ended(transcript::CloseReason reason, const session::Outcome& outcome) {
  ended[transcript::row_number(reason)].add();
  bool explained = outcome.complete;
  for (std::size_t kind = 0; kind < outcome.gaps.size(); ++kind) {
    if (!outcome.gaps[kind]) continue;
    incomplete[kind].add();
    explained = true;
  }
  if (!explained) incomplete.back().add();
  for (std::size_t role = 0; role < turns.size(); ++role)
    for (std::size_t status = 0; status < turns[role].size(); ++status)
      turns[role][status].add(outcome.turn_counts[role][status]);
}

void Tally::response_ended(transcript::ResponseStatus status, std::string_view reason,
                           std::uint64_t count) {
  const auto known = std::find(response_reasons.begin(), response_reasons.end(), reason);
  const auto place = static_cast<std::size_t>(known - response_reasons.begin());
  responses[static_cast<std::size_t>(status)][place].add(count);
}

void Tally::session_used(const transcript::Usage& used, const session::Budget& budget) {
  const auto count = [](Count& to, std::int64_t by) { to.add(static_cast<std::uint64_t>(by)); };
  count(input_tokens, used.input_tokens);
  count(output_tokens, used.output_tokens);
  count(input_audio_ms, used.input_audio_ms);
  count(output_audio_ms, used.output_audio_ms);
  for (std::size_t i = 0; i < session::limit_count; ++i)
    limits_notified[i].add(budget.warnings()[i]);
  if (budget.reached()) limits_reached[static_cast<std::size_t>(*budget.reached())].add();
}

}  // namespace verbatim::relay
