#include "server/fleet/shipping/outage.hpp"

namespace verbatim::shipping {

void Outage::look(Time now, bool connected, bool waiting) {
  if (parts_.settings.ship != config::Ship::before) return;
  if (connected && !waiting) {
    confirmed(now, true);
    return;
  }
  if (!since_) since_ = now;
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - *since_);
  if (!stalled_ && waited >= parts_.slow_commit) begin(waited);
  const bool refuse = parts_.settings.when_unreachable == config::WhenUnreachable::refuse;
  if (!refuse || given_up_ || waited < parts_.give_up_after) return;
  given_up_ = true;
  state_.give_up(true);
  parts_.log.error("fleet.given_up",
                   {{"waited_ms", waited.count()},
                    {"now",
                     "conversations end with storage_failure: the database has not confirmed their "
                     "text (fleet.when_unreachable)"}});
  parts_.on_given_up();
}

void Outage::begin(std::chrono::milliseconds waited) {
  stalled_ = true;
  if (parts_.settings.when_unreachable == config::WhenUnreachable::refuse) {
    parts_.log.error("fleet.stalled",
                     {{"waited_ms", waited.count()},
                      {"now",
                       "text waits for the fleet's database, and no new session is admitted "
                       "(fleet.when_unreachable)"}});
    return;
  }
  parts_.log.error("fleet.unconfirmed",
                   {{"waited_ms", waited.count()},
                    {"now",
                     "text goes on without the fleet's database, as with fleet.ship = behind: the "
                     "loss of this relay with its disk would lose it (fleet.when_unreachable)"}});
  state_.bypass(true);
  parts_.on_moved();
}

void Outage::confirmed(Time now, bool all) {
  if (!all) {
    if (since_) since_ = now;  // it moves
    if (!given_up_) return;
  }
  since_.reset();
  if (!stalled_) return;
  stalled_ = false;
  given_up_ = false;
  state_.give_up(false);
  state_.bypass(false);
  parts_.log.info("fleet.confirmed", {{"now", "text waits for the fleet's database again"}});
  parts_.on_moved();
}

std::string Outage::refusal(Trouble trouble) const {
  const bool refuse = parts_.settings.when_unreachable == config::WhenUnreachable::refuse;
  return stalled_ && refuse ? public_reason(trouble) : std::string();
}

}  // namespace verbatim::shipping
