// Functions for writing a conversation's events in tests: each makes one event. A Stream applies
// them with a clock that ticks a millisecond an event.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "session/transcript/transcript.hpp"

namespace verbatim::session::test {

inline Text text(std::string wtf8) { return Text::from_wtf8(std::move(wtf8)); }

inline transcript::Item message(std::string id, transcript::Role role,
                                std::vector<transcript::Part> parts = {},
                                transcript::ItemStatus status = transcript::ItemStatus::completed) {
  return {std::move(id), transcript::ItemKind::message, role, status, std::move(parts), {}};
}
inline transcript::Item typed(std::string id, std::string words,
                              transcript::Role role = transcript::Role::user) {
  return message(std::move(id), role, {transcript::Part{0, text(std::move(words)), false}});
}
inline transcript::Item tool_call(std::string id) {
  return {std::move(id),
          transcript::ItemKind::function_call,
          transcript::Role::unknown,
          transcript::ItemStatus::in_progress,
          {},
          R"({"type":"function_call"})"};
}

inline transcript::EventBody opened(std::string id = "sess_1", int bytes_per_ms = 48) {
  return transcript::UpstreamOpened{std::move(id), 0, true, bytes_per_ms};
}
inline transcript::EventBody added(transcript::Item item, std::string after = {}) {
  const transcript::Position place =
      after.empty() ? transcript::Position::end : transcript::Position::after;
  return transcript::ItemPlaced{std::move(item), place, std::move(after), false};
}
inline transcript::EventBody added_first(transcript::Item item) {
  return transcript::ItemPlaced{std::move(item), transcript::Position::front, {}, false};
}
/// A client's request for an item at the front, or behind another.
inline transcript::EventBody at_root(std::string id) {
  return transcript::ItemRequested{"", typed(std::move(id), "x"), transcript::Position::front, {}};
}
inline transcript::EventBody behind(std::string id, std::string previous) {
  return transcript::ItemRequested{"", typed(std::move(id), "x"), transcript::Position::after,
                                   std::move(previous)};
}
inline transcript::EventBody committed(std::string id, std::string after = {}) {
  const transcript::Position place =
      after.empty() ? transcript::Position::front : transcript::Position::after;
  transcript::Item item =
      message(std::move(id), transcript::Role::user, {}, transcript::ItemStatus::none);
  return transcript::ItemPlaced{std::move(item), place, std::move(after), true};
}
inline transcript::EventBody item_done(transcript::Item item) {
  return transcript::ItemSnapshot{std::move(item), false};
}
inline transcript::EventBody started(std::string response, bool out_of_band = false) {
  return transcript::ResponseStarted{std::move(response), out_of_band};
}
inline transcript::EventBody output(std::string response, transcript::Item item,
                                    bool done = false) {
  return transcript::OutputItem{std::move(response), std::move(item), done};
}
inline transcript::EventBody says(std::string id, std::string words, int part = 0,
                                  std::string response = "resp_1") {
  return transcript::TextDelta{std::move(id), std::move(response), part, false,
                               text(std::move(words))};
}
inline transcript::EventBody said(std::string id, std::string words, int part = 0,
                                  std::string response = "resp_1") {
  return transcript::TextDone{std::move(id), std::move(response), part, false,
                              text(std::move(words))};
}
inline transcript::EventBody hears(std::string id, std::string words) {
  return transcript::TextDelta{std::move(id), {}, 0, true, text(std::move(words))};
}
inline transcript::EventBody heard(std::string id, std::string words) {
  return transcript::TextDone{std::move(id), {}, 0, true, text(std::move(words))};
}
inline transcript::EventBody audio_ms(std::string id, std::int64_t ms, int part = 0) {
  return transcript::AudioDelta{std::move(id), part, ms * 48};
}
inline transcript::EventBody truncated(std::string id, std::int64_t ms, std::int64_t sent_ms = -1,
                                       int part = 0) {
  return transcript::ItemTruncated{std::move(id), part, ms, sent_ms};
}
inline transcript::EventBody ended(std::string response, transcript::ResponseStatus status,
                                   std::string reason = {}) {
  return transcript::ResponseEnded{std::move(response), false, status, std::move(reason), {}, {}};
}

class Stream {
 public:
  Stream() = default;
  explicit Stream(std::vector<transcript::EventBody> events) {
    for (auto& event : events) apply(std::move(event));
  }

  transcript::Transcript::Applied apply(transcript::EventBody body, std::string event_id = {}) {
    return transcript.apply(transcript::Event{std::move(event_id), std::move(body)}, ++now);
  }
  Stream& then(std::vector<transcript::EventBody> events) {
    for (auto& event : events) apply(std::move(event));
    return *this;
  }
  transcript::FinalTranscript end() { return transcript::finalise(transcript, ++now); }

  /// "user Hello. | assistant Hi.": a conversation in one line.
  std::string glance() const {
    std::string out;
    for (const transcript::Turn& turn : transcript.turns()) {
      if (!out.empty()) out += " | ";
      out.append(transcript::to_string(turn.role)).append(" ").append(turn.text.utf8());
    }
    return out;
  }
  transcript::Turn turn(const std::string& id) const {
    return transcript.turn(id).value_or(transcript::Turn{});
  }

  transcript::Transcript transcript;
  TimeMs now = 0;
};

/// A small generator of our own, so that a seed means the same on every platform.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 33;
  }
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }

 private:
  std::uint64_t state_;
};

using Ids = std::vector<std::string>;

/// A question that was spoken and has its slot.
inline std::vector<transcript::EventBody> spoken_question() {
  return {transcript::SpeechStarted{"u1", 1000}, transcript::SpeechStopped{"u1", 2000},
          committed("u1"),
          added_first(message("u1", transcript::Role::user, {transcript::Part{0, {}, true}}))};
}

/// An answer that was announced and has no text yet.
inline std::vector<transcript::EventBody> begun_answer() {
  return {added_first(typed("u1", "Go.")), started("resp_1"),
          output("resp_1", message("a1", transcript::Role::assistant, {},
                                   transcript::ItemStatus::in_progress)),
          added(message("a1", transcript::Role::assistant, {}, transcript::ItemStatus::in_progress),
                "u1")};
}

}  // namespace verbatim::session::test
