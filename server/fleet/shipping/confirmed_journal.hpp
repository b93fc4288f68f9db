// The journal of conversations with fleet.ship = "before": what it calls durable is on this relay's
// disk and in the fleet's database. The journal's order stays, and nothing in a session changes.
//
// Any thread, like the journal behind it. Both references must outlive it.
#pragma once

#include <algorithm>
#include <utility>

#include "server/fleet/shipping/shipping_state.hpp"
#include "session/transcript/journal.hpp"

namespace verbatim::shipping {

class ConfirmedJournal final : public transcript::Journal {
 public:
  ConfirmedJournal(transcript::Journal& journal, const ShippingState& shipping)
      : journal_(journal), shipping_(shipping) {}

  transcript::Taken append(transcript::AttemptId attempt, TimeMs at,
                           const transcript::Event& event) override {
    return journal_.append(attempt, at, event);
  }
  transcript::Taken settle(transcript::AttemptId attempt, const transcript::Turn& turn) override {
    return journal_.settle(attempt, turn);
  }
  transcript::Sequence close(transcript::AttemptId attempt, transcript::Ending ending) override {
    return journal_.close(attempt, std::move(ending));
  }
  transcript::Sequence mark(transcript::AttemptId attempt,
                            transcript::SessionStatus status) override {
    return journal_.mark(attempt, status);
  }
  transcript::Sequence suspend(transcript::AttemptId attempt,
                               const transcript::Handover& handover) override {
    return journal_.suspend(attempt, handover);
  }
  transcript::Sequence durable() const override {
    const transcript::Sequence local = journal_.durable();
    return shipping_.bypassed() ? local : std::min(local, shipping_.confirmed());
  }
  bool failed() const override { return journal_.failed() || shipping_.given_up(); }
  bool crowded() const override { return journal_.crowded(); }
  void hurry() override { journal_.hurry(); }

 private:
  transcript::Journal& journal_;
  const ShippingState& shipping_;
};

}  // namespace verbatim::shipping
