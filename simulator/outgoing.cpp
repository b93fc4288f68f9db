#include "simulator/outgoing.hpp"

#include <utility>

namespace verbatim::simulator {

Outgoing::Outgoing(Faults faults, std::uint64_t seed) : faults_(std::move(faults)), random_(seed) {
  apply_counted_faults();
}

void Outgoing::event(std::string payload) {
  const bool twice = faults_.duplicate > 0 && random_.chance(faults_.duplicate);
  if (twice) send(payload);
  send(std::move(payload));
}

void Outgoing::send(std::string payload) {
  if (over_) return;
  bytes_ += payload.size();
  if (bytes_ > most_bytes) {
    actions_.clear();
    end({Action::Kind::drop, {}, 0, {}, false});
    return;
  }
  const bool binary = faults_.binary > 0 && random_.chance(faults_.binary);
  actions_.push_back({Action::Kind::send, std::move(payload), 0, {}, binary});
  ++events_;
  apply_counted_faults();
}

void Outgoing::close(std::uint16_t code, std::string reason) {
  end({Action::Kind::close, {}, code, std::move(reason), false});
}

void Outgoing::end(Action action) {
  if (over_) return;
  over_ = true;
  actions_.push_back(std::move(action));
}

void Outgoing::apply_counted_faults() {
  if (faults_.drop_after && events_ >= *faults_.drop_after)
    end({Action::Kind::drop, {}, 0, {}, false});
  if (faults_.hang_after && events_ >= *faults_.hang_after)
    end({Action::Kind::hang, {}, 0, {}, false});
  if (faults_.close_after && events_ >= faults_.close_after->after) {
    close(faults_.close_after->code, faults_.close_after->reason);
  }
}

std::vector<Action> Outgoing::take() {
  bytes_ = 0;
  return std::exchange(actions_, {});
}

}  // namespace verbatim::simulator
