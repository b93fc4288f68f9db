// Several concurrent conversations on one journal, from a seed, and the transcripts that recovery
// must find after a cut at any row. The engine computes them without a disk.
//
// On the test's thread.
#pragma once

#include <map>
#include <random>

#include <catch2/catch.hpp>

#include "session/transcript/render/render.hpp"
#include "session/transcript/transcript.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "tests/support/journal_driver.hpp"

namespace verbatim::test {

inline std::string show(const transcript::TranscriptView& view) {
  return transcript::render(view, transcript::Format::json) + "\n";
}

/// Everything that a store shows.
inline std::string show(const std::filesystem::path& file) {
  rows::TranscriptStore store(file);
  std::map<std::string, std::string> shown;
  const store::SessionPage page = store.list({.limit = 1000});
  for (const auto& one : page.sessions)
    for (const auto& attempt : one.attempts)
      shown[one.id] += show(store.transcript(one.id, attempt.number).value());
  std::string whole;
  for (const auto& [id, text] : shown) whole += text;
  return whole;
}

/// For each sequence number: what a recovered store must show if that was the last durable row.
class Expected {
 public:
  struct Attempt {
    std::string session;
    int number = 1;
    TimeMs opened = 0;
    std::vector<std::pair<TimeMs, transcript::Event>> events;
    std::optional<transcript::Ending> ending;
    std::string shown;
  };

  std::size_t open(const std::string& session, int number, TimeMs at) {
    attempts_.push_back({session, number, at, {}, {}, {}});
    changed(attempts_.size() - 1);
    return attempts_.size() - 1;
  }
  void say(std::size_t attempt, TimeMs at, const transcript::Event& event) {
    attempts_[attempt].events.emplace_back(at, event);
    changed(attempt);
  }
  /// It is in the transcript already, so nothing changes visibly.
  void settle(std::size_t attempt) { changed(attempt); }
  void close(std::size_t attempt, const transcript::Ending& ending) {
    attempts_[attempt].ending = ending;
    changed(attempt);
  }
  void erase(const std::string& session) {
    std::erase_if(shown_, [&](const auto& one) { return one.first.first == session; });
    remember();
  }

  /// A change that is not a journal row.
  void nothing_to_see() { remember(); }

  transcript::Sequence last() const { return states_.size() - 1; }
  /// The last number before this state; nullopt before the first.
  std::optional<transcript::Sequence> find(const std::string& shown) const {
    for (std::size_t i = states_.size(); i-- > 0;)
      if (states_[i] == shown) return i;
    return std::nullopt;
  }

 private:
  void changed(std::size_t attempt) {
    const Attempt& one = attempts_[attempt];
    shown_[{one.session, one.number}] = show(one);
    remember();
  }
  void remember() {
    std::string whole;
    for (const auto& [key, text] : shown_) whole += text;
    states_.push_back(std::move(whole));
  }
  static std::string show(const Attempt& one) {
    transcript::TranscriptView view;
    view.session_id = one.session;
    view.attempt = one.number;
    view.status = transcript::SessionStatus::final;
    view.started_at = one.opened;
    transcript::FinalTranscript final;
    if (one.ending) {
      view.ended_at = one.ending->ended_at;
      view.close_reason = one.ending->reason;
      final = one.ending->transcript;
    } else {
      transcript::Transcript transcript;
      for (const auto& [at, event] : one.events) transcript.apply(event, at);
      view.ended_at = one.events.empty() ? one.opened : one.events.back().first;
      view.close_reason = transcript::CloseReason::crash_recovered;
      final = transcript::finalise(transcript, *view.ended_at);
    }
    view.show(transcript::merge(final, {}));
    return test::show(view);
  }

  std::vector<Attempt> attempts_;
  std::map<std::pair<std::string, int>, std::string> shown_;
  std::vector<std::string> states_{""};
};

/// The journal must be new: its numbers begin with 1.
class Conversations {
 public:
  Conversations(journal::SqliteJournal& journal, JournalWatch& watch)
      : journal_(journal), watch_(watch), random_(4711) {}

  /// Opens, speaks and closes at random; sometimes waits until its rows are durable.
  void talk(int steps) {
    for (int i = 0; i < steps; ++i) {
      if (live_.empty() || (live_.size() < 4 && below(12) == 0)) {
        open();
      } else if (below(40) == 0) {
        close(below(live_.size()));
      } else {
        speak(live_[below(live_.size())]);
      }
      if (below(3) == 0) settle_down();
    }
    settle_down();
  }
  /// Ended while others continue: rows that only it needed can be deleted.
  void close_first() {
    while (live_.size() < 2) open();
    close(0);
    settle_down();
  }
  void close_all() {
    while (!live_.empty()) close(0);
    settle_down();
  }
  void erase(const std::string& session) {
    expected.erase(session);
    REQUIRE_FALSE(execute(
        journal_, [&](sqlite::Database& database) { rows::erase_session(database, session); }));
  }

  /// From now on messages are written too.
  void announce() {
    expected.nothing_to_see();
    REQUIRE_FALSE(
        execute(journal_, [](sqlite::Database& database) { rows::want_messages(database, ~0u); }));
  }

  Expected expected;

 private:
  struct Live {
    std::string session;
    std::size_t index = 0;
    transcript::AttemptId id = 0;
    transcript::Transcript transcript = transcript::Transcript{};
    std::string item = {};  ///< being spoken
    int items = 0;
  };

  void open() {
    // Some sessions have several attempts, one after the other.
    const bool again = sessions_ > 0 && below(3) == 0;
    const std::string session = "s" + std::to_string(again ? sessions_ : ++sessions_);
    for (std::size_t i = 0; i < live_.size(); ++i)
      if (live_[i].session == session) return close(i);
    const auto opened =
        open_attempt(journal_, {.session_id = session, .user = "u", .model = "m", .now = ++now_});
    REQUIRE_FALSE(opened.error);
    live_.push_back(
        {session, expected.open(session, opened.attempt.number, now_), opened.attempt.attempt});
  }

  void speak(Live& one) {
    if (one.item.empty()) {
      one.item = "item" + std::to_string(++one.items);
      append(one, placed(one.item,
                         one.items % 2 ? transcript::Role::user : transcript::Role::assistant));
    } else if (below(8) != 0) {
      append(one, delta(one.item, words()));
    } else {
      transcript::TextDone done;
      done.item_id = one.item;
      done.text = one.transcript.turn(one.item)->text;
      append(one, {"", done});
      expected.settle(one.index);
      given(journal_.settle(one.id, *one.transcript.turn(one.item)));
      one.item.clear();
    }
  }

  /// Numbered texts, none used twice; some longer than a page.
  std::string words() {
    std::string text;
    for (std::size_t n = below(25) == 0 ? 1000 : 1 + below(12); n > 0; --n)
      text += " w" + std::to_string(++words_);
    return text;
  }

  void append(Live& one, const transcript::Event& event) {
    one.transcript.apply(event, ++now_);
    expected.say(one.index, now_, event);
    given(journal_.append(one.id, now_, event));
  }

  void close(std::size_t place) {
    Live& one = live_[place];
    ++now_;
    const transcript::Ending ending{transcript::CloseReason::client_closed, now_,
                                    transcript::finalise(one.transcript, now_)};
    expected.close(one.index, ending);
    given(journal_.close(one.id, ending));
    live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(place));
  }

  void given(transcript::Sequence sequence) { REQUIRE(sequence == expected.last()); }
  void settle_down() { REQUIRE(watch_.wait_durable(expected.last())); }
  std::size_t below(std::size_t end) { return random_() % end; }

  journal::SqliteJournal& journal_;
  JournalWatch& watch_;
  std::mt19937 random_;
  std::vector<Live> live_;
  int sessions_ = 0;
  TimeMs now_ = 1000;
  std::uint64_t words_ = 0;
};

}  // namespace verbatim::test
