// A journal without write-ahead: every append counts as durable at once, so text is sent before it
// is stored. It proves that the write-ahead tests can fail: with it they must
// (testing.forward_before_commit). The real journal does not depend on it.
//
// Any thread, like the journal behind it, which must outlive it. Accepts and refuses as that one
// does.
#pragma once

#include <utility>

#include "session/transcript/journal.hpp"

namespace verbatim::server {

class ForwardBeforeCommit final : public session::Journal {
 public:
  explicit ForwardBeforeCommit(session::Journal& journal) : journal_(journal) {}

  session::Taken append(session::AttemptId attempt, TimeMs at,
                        const session::Event& event) override {
    return long_durable(journal_.append(attempt, at, event));
  }
  session::Taken settle(session::AttemptId attempt, const session::Turn& turn) override {
    return long_durable(journal_.settle(attempt, turn));
  }
  session::Sequence close(session::AttemptId attempt, session::Ending ending) override {
    return journal_.close(attempt, std::move(ending));
  }
  session::Sequence mark(session::AttemptId attempt, session::SessionStatus status) override {
    return journal_.mark(attempt, status);
  }
  session::Sequence suspend(session::AttemptId attempt,
                            const session::Handover& handover) override {
    return journal_.suspend(attempt, handover);
  }
  session::Sequence durable() const override { return journal_.durable(); }
  bool failed() const override { return journal_.failed(); }
  bool crowded() const override { return journal_.crowded(); }

 private:
  /// Sequence 1 is durable: no attempt opens before the journal's first sequence is.
  static session::Taken long_durable(session::Taken given) {
    return {given.sequence == 0 ? session::Sequence{0} : session::Sequence{1}, given.bytes};
  }

  session::Journal& journal_;
};

}  // namespace verbatim::server
