// One session's writing to the journal: which sequences its output must wait for, and how much the
// session may have in the journal's queue.
//
// All sessions share the disk. A session that is faster than the disk is not read until its events
// are durable, so the journal's queue keeps room for others.
//
// Pure; part of a RealtimeSession, on its thread. It collects what it changed: take_changes().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "session/changes.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/journal.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::session {

class SessionJournal {
 public:
  struct Limits {
    std::size_t share_bytes = 0;     ///< bytes in the journal's queue before the session waits
    std::size_t item_bytes_max = 0;  ///< largest item JSON that is kept
  };
  /// `journal` must outlive it.
  SessionJournal(transcript::Journal& journal, transcript::AttemptId attempt, const Limits& limits)
      : journal_(journal), attempt_(attempt), limits_(limits) {}

  struct Recorded {
    /// the output of this event must wait for it; 0: a repeated event
    transcript::Sequence needs = 0;
    std::size_t bytes = 0;
  };
  /// Applies an event to the transcript and journals it. nullopt: the journal refused it.
  /// `event`: completed with what the transcript knows, and bounded.
  /// `announces_turns`: remember the turns that became settled.
  std::optional<Recorded> record(transcript::Event& event, transcript::Transcript& transcript,
                                 TimeMs at, bool announces_turns);
  using SettledTurn = std::pair<std::string, transcript::Sequence>;
  bool has_settled_turns() const { return !settled_turns_.empty(); }
  std::vector<SettledTurn> take_settled_turns() { return std::exchange(settled_turns_, {}); }
  void mark(transcript::SessionStatus status);
  /// The final record. After this, nothing more is written.
  void close(transcript::Ending ending);
  /// False: the journal refused it.
  bool suspend(const transcript::Handover& handover);

  /// Of the latest recorded event.
  transcript::Sequence last() const { return last_; }
  /// Of close() or suspend(); 0: there is none.
  transcript::Sequence final() const { return final_; }
  bool is_final_durable(transcript::Sequence durable) const { return final_ <= durable; }
  /// Read nothing before the session's share of the queue is durable.
  bool over_share(transcript::Sequence durable) const { return waits_for_share_ > durable; }
  transcript::Sequence durable() const { return journal_.durable(); }
  bool failed() const { return journal_.failed(); }
  bool crowded() const { return journal_.crowded(); }
  /// Everything recorded becomes durable without the pause between two commits.
  void hurry() { journal_.hurry(); }
  Changes take_changes() { return std::exchange(changes_, Changes()); }

 private:
  void bound_details(transcript::Event& event, const transcript::Transcript& transcript) const;

  transcript::Journal& journal_;
  transcript::AttemptId attempt_;
  Limits limits_;
  transcript::Sequence last_ = 0;
  transcript::Sequence final_ = 0;
  std::size_t recorded_bytes_ = 0;  ///< recorded since the session last waited for the journal
  transcript::Sequence waits_for_share_ = 0;
  std::vector<SettledTurn> settled_turns_;  ///< not yet announced to a client
  Changes changes_;
};

}  // namespace verbatim::session
