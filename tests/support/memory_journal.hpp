// A session::Journal in memory, for tests of what stands in front of it: they move the durable
// watermark by hand, break the journal or make it refuse, and look at what was given, in order.
//
// One thread.
#pragma once

#include <variant>
#include <vector>

#include "session/journal.hpp"

namespace verbatim::test {

class MemoryJournal final : public session::Journal {
 public:
  struct Appended {
    session::TimeMs at;
    session::Event event;
  };
  struct Entry {
    session::Sequence sequence;
    session::AttemptId attempt;
    std::variant<Appended, session::Turn, session::Ending> what;
  };

  session::Sequence append(session::AttemptId attempt, session::TimeMs at,
                           const session::Event& event) override {
    return record(attempt, Appended{at, event});
  }
  session::Sequence settle(session::AttemptId attempt, const session::Turn& turn) override {
    return record(attempt, turn);
  }
  session::Sequence close(session::AttemptId attempt, const session::Ending& ending) override {
    return record(attempt, ending);
  }
  session::Sequence durable() const override { return durable_; }
  bool failed() const override { return failed_; }

  // ---- the test's side
  void make_durable(session::Sequence up_to) { durable_ = up_to; }
  void make_all_durable() { durable_ = last_; }
  /// As after an I/O error: nothing is accepted any more, the watermark stays.
  void fail() { failed_ = true; }
  /// As with a full queue: nothing is accepted until this is switched off.
  void refuse(bool on) { refusing_ = on; }

  session::Sequence last() const { return last_; }
  const std::vector<Entry>& entries() const { return entries_; }
  /// Those of one kind: all<MemoryJournal::Appended>(), all<session::Turn>(), ...
  template <class Kind>
  std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const Entry& entry : entries_)
      if (const auto* one = std::get_if<Kind>(&entry.what)) found.push_back(*one);
    return found;
  }

 private:
  template <class What>
  session::Sequence record(session::AttemptId attempt, What what) {
    if (failed_ || refusing_) return 0;
    entries_.push_back({++last_, attempt, std::move(what)});
    return last_;
  }

  std::vector<Entry> entries_;
  session::Sequence last_ = 0;
  session::Sequence durable_ = 0;
  bool failed_ = false;
  bool refusing_ = false;
};

}  // namespace verbatim::test
