// Functions for writing a conversation's events in tests: each makes one event. A Stream applies
// them with a clock that ticks a millisecond an event.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "session/transcript/transcript.hpp"

namespace verbatim::session::test {

inline Text text(std::string wtf8) { return Text::from_wtf8(std::move(wtf8)); }

inline Item message(std::string id, Role role, std::vector<Part> parts = {},
                    ItemStatus status = ItemStatus::completed) {
  return {std::move(id), ItemKind::message, role, status, std::move(parts), {}};
}
inline Item typed(std::string id, std::string words, Role role = Role::user) {
  return message(std::move(id), role, {Part{0, text(std::move(words)), false}});
}
inline Item tool_call(std::string id) {
  return {std::move(id),
          ItemKind::function_call,
          Role::unknown,
          ItemStatus::in_progress,
          {},
          R"({"type":"function_call"})"};
}

inline EventBody opened(std::string id = "sess_1", int bytes_per_ms = 48) {
  return UpstreamOpened{std::move(id), 0, true, bytes_per_ms};
}
inline EventBody added(Item item, std::string after = {}) {
  const Position place = after.empty() ? Position::end : Position::after;
  return ItemPlaced{std::move(item), place, std::move(after), false};
}
inline EventBody added_first(Item item) {
  return ItemPlaced{std::move(item), Position::front, {}, false};
}
/// A client's request for an item at the front, or behind another.
inline EventBody at_root(std::string id) {
  return ItemRequested{"", typed(std::move(id), "x"), Position::front, {}};
}
inline EventBody behind(std::string id, std::string previous) {
  return ItemRequested{"", typed(std::move(id), "x"), Position::after, std::move(previous)};
}
inline EventBody committed(std::string id, std::string after = {}) {
  const Position place = after.empty() ? Position::front : Position::after;
  Item item = message(std::move(id), Role::user, {}, ItemStatus::none);
  return ItemPlaced{std::move(item), place, std::move(after), true};
}
inline EventBody item_done(Item item) { return ItemSnapshot{std::move(item), false}; }
inline EventBody started(std::string response, bool out_of_band = false) {
  return ResponseStarted{std::move(response), out_of_band};
}
inline EventBody output(std::string response, Item item, bool done = false) {
  return OutputItem{std::move(response), std::move(item), done};
}
inline EventBody says(std::string id, std::string words, int part = 0,
                      std::string response = "resp_1") {
  return TextDelta{std::move(id), std::move(response), part, false, text(std::move(words))};
}
inline EventBody said(std::string id, std::string words, int part = 0,
                      std::string response = "resp_1") {
  return TextDone{std::move(id), std::move(response), part, false, text(std::move(words))};
}
inline EventBody hears(std::string id, std::string words) {
  return TextDelta{std::move(id), {}, 0, true, text(std::move(words))};
}
inline EventBody heard(std::string id, std::string words) {
  return TextDone{std::move(id), {}, 0, true, text(std::move(words))};
}
inline EventBody audio_ms(std::string id, std::int64_t ms, int part = 0) {
  return AudioDelta{std::move(id), part, ms * 48};
}
inline EventBody truncated(std::string id, std::int64_t ms, std::int64_t sent_ms = -1,
                           int part = 0) {
  return ItemTruncated{std::move(id), part, ms, sent_ms};
}
inline EventBody ended(std::string response, ResponseStatus status, std::string reason = {}) {
  return ResponseEnded{std::move(response), false, status, std::move(reason), {}, {}};
}

class Stream {
 public:
  Stream() = default;
  explicit Stream(std::vector<EventBody> events) {
    for (auto& event : events) apply(std::move(event));
  }

  Transcript::Applied apply(EventBody body, std::string event_id = {}) {
    return transcript.apply(Event{std::move(event_id), std::move(body)}, ++now);
  }
  Stream& then(std::vector<EventBody> events) {
    for (auto& event : events) apply(std::move(event));
    return *this;
  }
  FinalTranscript end() { return finalise(transcript, ++now); }

  /// "user Hello. | assistant Hi.": a conversation in one line.
  std::string glance() const {
    std::string out;
    for (const Turn& turn : transcript.turns()) {
      if (!out.empty()) out += " | ";
      out.append(to_string(turn.role)).append(" ").append(turn.text.utf8());
    }
    return out;
  }
  Turn turn(const std::string& id) const { return transcript.turn(id).value_or(Turn{}); }

  Transcript transcript;
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
inline std::vector<EventBody> spoken_question() {
  return {SpeechStarted{"u1", 1000}, SpeechStopped{"u1", 2000}, committed("u1"),
          added_first(message("u1", Role::user, {Part{0, {}, true}}))};
}

/// An answer that was announced and has no text yet.
inline std::vector<EventBody> begun_answer() {
  return {added_first(typed("u1", "Go.")), started("resp_1"),
          output("resp_1", message("a1", Role::assistant, {}, ItemStatus::in_progress)),
          added(message("a1", Role::assistant, {}, ItemStatus::in_progress), "u1")};
}

}  // namespace verbatim::session::test
