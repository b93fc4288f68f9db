// A journal without write-ahead: every append counts as durable at once, so text is sent before it
// is stored (testing.forward_before_commit). With it the write-ahead tests must fail, which proves
// that they can. The real journal does not depend on it.
//
// Any thread, like the journal behind it, which must outlive it. Accepts and refuses as that one
// does.
#pragma once

#include <memory>
#include <utility>

#include "base/log.hpp"
#include "session/transcript/journal.hpp"

namespace verbatim::app {

class ForwardBeforeCommit final : public transcript::Journal {
 public:
  explicit ForwardBeforeCommit(transcript::Journal& journal) : journal_(journal) {}

  transcript::Taken append(transcript::AttemptId attempt, TimeMs at,
                           const transcript::Event& event) override {
    return already_durable(journal_.append(attempt, at, event));
  }
  transcript::Taken settle(transcript::AttemptId attempt, const transcript::Turn& turn) override {
    return already_durable(journal_.settle(attempt, turn));
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
  transcript::Sequence durable() const override { return journal_.durable(); }
  bool failed() const override { return journal_.failed(); }
  bool crowded() const override { return journal_.crowded(); }
  void hurry() override { journal_.hurry(); }

 private:
  /// Sequence 1 is durable: no attempt opens before the journal's first sequence is.
  static transcript::Taken already_durable(transcript::Taken given) {
    return {given.sequence == 0 ? transcript::Sequence{0} : transcript::Sequence{1}, given.bytes};
  }

  transcript::Journal& journal_;
};

/// Says it loudly.
inline std::unique_ptr<transcript::Journal> promise_nothing(transcript::Journal& journal,
                                                            Log& log) {
  log.error("testing.forward_before_commit",
            {{"meaning",
              "UNSAFE: text is sent on before it is stored, so a crash loses it. For tests "
              "only (testing.forward_before_commit)"}});
  return std::make_unique<ForwardBeforeCommit>(journal);
}

}  // namespace verbatim::app
