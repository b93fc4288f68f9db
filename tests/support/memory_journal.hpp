// A transcript::Journal in memory; the test sets its watermark.
#pragma once

#include <functional>
#include <new>
#include <utility>
#include <vector>

#include "session/transcript/journal.hpp"

namespace verbatim::test {

class MemoryJournal final : public transcript::Journal {
 public:
  struct Row {
    transcript::AttemptId attempt;
    TimeMs at;
    transcript::Event event;
  };

  transcript::Taken append(transcript::AttemptId attempt, TimeMs at,
                           const transcript::Event& event) override {
    if (refuses) return {};
    rows.push_back({attempt, at, event});
    return {++submitted, bytes_of_each};
  }
  transcript::Taken settle(transcript::AttemptId, const transcript::Turn& turn) override {
    if (refuses) return {};
    settled.push_back(turn);
    return {++submitted, bytes_of_each};
  }
  transcript::Sequence close(transcript::AttemptId, transcript::Ending ending) override {
    if (refuses) return 0;
    if (std::exchange(starves, false)) throw std::bad_alloc();
    endings.push_back(std::move(ending));
    return ++submitted;
  }
  transcript::Sequence mark(transcript::AttemptId, transcript::SessionStatus status) override {
    if (refuses) return 0;
    marks.push_back(status);
    return ++submitted;
  }
  transcript::Sequence suspend(transcript::AttemptId,
                               const transcript::Handover& handover) override {
    if (refuses) return 0;
    handovers.push_back(handover);
    return ++submitted;
  }
  transcript::Sequence durable() const override {
    const transcript::Sequence seen = synced;
    if (syncs_after_reads >= 0 && syncs_after_reads-- == 0) {
      synced = submitted;
      if (after_sync) after_sync();
    }
    return seen;
  }
  bool failed() const override { return broken; }
  bool crowded() const override { return crowd; }
  void hurry() override { hurried_at.push_back(submitted); }

  void sync() { synced = submitted; }

  std::vector<Row> rows;
  std::vector<transcript::Turn> settled;
  std::vector<transcript::Ending> endings;
  std::vector<transcript::SessionStatus> marks;
  std::vector<transcript::Handover> handovers;
  transcript::Sequence submitted = 0;
  std::vector<transcript::Sequence> hurried_at;  ///< `submitted` at each hurry()
  mutable transcript::Sequence synced = 0;
  /// The watermark moves right after it has been read this often; negative: only by sync().
  mutable int syncs_after_reads = -1;
  std::function<void()> after_sync;  ///< called then, as a writer notifies
  bool refuses = false;
  bool starves = false;  ///< the next ending fails with out of memory
  bool broken = false;
  bool crowd = false;
  std::size_t bytes_of_each = 100;  ///< bytes that each event and turn counts as
};

}  // namespace verbatim::test
