// A session::Journal in memory; the test sets its watermark.
#pragma once

#include <new>
#include <utility>
#include <vector>

#include "session/transcript/journal.hpp"

namespace verbatim::test {

class MemoryJournal final : public session::Journal {
 public:
  struct Row {
    session::AttemptId attempt;
    TimeMs at;
    session::Event event;
  };

  session::Taken append(session::AttemptId attempt, TimeMs at,
                        const session::Event& event) override {
    if (refuses) return {};
    rows.push_back({attempt, at, event});
    return {++submitted, bytes_of_each};
  }
  session::Taken settle(session::AttemptId, const session::Turn& turn) override {
    if (refuses) return {};
    settled.push_back(turn);
    return {++submitted, bytes_of_each};
  }
  session::Sequence close(session::AttemptId, session::Ending ending) override {
    if (refuses) return 0;
    if (std::exchange(starves, false)) throw std::bad_alloc();
    endings.push_back(std::move(ending));
    return ++submitted;
  }
  session::Sequence mark(session::AttemptId, session::SessionStatus status) override {
    if (refuses) return 0;
    marks.push_back(status);
    return ++submitted;
  }
  session::Sequence suspend(session::AttemptId, const session::Handover& handover) override {
    if (refuses) return 0;
    handovers.push_back(handover);
    return ++submitted;
  }
  session::Sequence durable() const override { return synced; }
  bool failed() const override { return broken; }
  bool crowded() const override { return crowd; }

  void sync() { synced = submitted; }

  std::vector<Row> rows;
  std::vector<session::Turn> settled;
  std::vector<session::Ending> endings;
  std::vector<session::SessionStatus> marks;
  std::vector<session::Handover> handovers;
  session::Sequence submitted = 0;
  session::Sequence synced = 0;
  bool refuses = false;
  bool starves = false;  ///< the next ending fails with out of memory
  bool broken = false;
  bool crowd = false;
  std::size_t bytes_of_each = 100;  ///< bytes that each event and turn counts as
};

}  // namespace verbatim::test
