// The spans of what is said: one for each answer of the model, one for each utterance of the user.
// Made from the events that the session records; they have ids, times and counts, never text.
//
// A span is sent when nothing more can come for it, at the latest at the end of the session:
// - an answer when the next one has ended, since a client reports only later how much it played;
// - an utterance when its transcription came.
//
// On the conversation's thread. Bounded: beyond a few open ones, the oldest is sent as it is.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/traces/span_maker.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::traces {

class TurnSpans {
 public:
  /// `provider`, `model`: attributes of an answer. `maker` must outlive the object.
  TurnSpans(SpanMaker& maker, std::string provider, std::string model)
      : maker_(maker), provider_(std::move(provider)), model_(std::move(model)) {}

  void recorded(const transcript::Event& event, Moment now);
  /// All events so far are stored, the relay's measurements included.
  void settled();
  /// Nothing more follows. `end_reason`: of an answer that is still open.
  void finish(std::string_view end_reason, Moment now);

  /// The answer or utterance that is open now, as a parent; else the conversation's first span.
  SpanId innermost() const;

 private:
  struct Answer {
    Span span;
    Moment began;
    std::string response_id;
    std::vector<std::string> item_ids;
    std::optional<std::int64_t> first_audio_ms;
    std::optional<std::int64_t> heard_ms;
    std::string_view end_reason;  ///< empty: it is open
  };
  struct Utterance {
    Span span;
    Moment began;
    std::string item_id;
    std::optional<Moment> committed;
    std::optional<std::int64_t> speech_starts_ms;  ///< on the provider's audio clock
    std::optional<std::int64_t> speech_ms;
    std::string_view transcription;  ///< its state before it was committed; empty: none yet
  };

  template <class Body>
  void on(const Body&, Moment) {}  // the events that no span needs
  void on(const transcript::UpstreamOpened& opened, Moment now);
  void on(const transcript::SessionConfigured& configured, Moment now);
  void on(const transcript::SpeechStarted& started, Moment now);
  void on(const transcript::SpeechStopped& stopped, Moment now);
  void on(const transcript::BufferCleared& cleared, Moment now);
  void on(const transcript::ItemPlaced& placed, Moment now);
  void on(const transcript::TextDone& done, Moment now);
  void on(const transcript::TranscriptionFailed& failed, Moment now);
  void on(const transcript::ResponseStarted& started, Moment now);
  void on(const transcript::OutputItem& output, Moment now);
  void on(const transcript::ResponseEnded& ended, Moment now);
  void on(const transcript::FirstAudio& measured, Moment now);
  void on(const transcript::ItemTruncated& truncated, Moment now);
  void on(const transcript::UpstreamLost& lost, Moment now);

  Answer* find_answer(std::string_view response_id);
  Answer& begin_answer(const std::string& response_id, bool out_of_band, Moment now);
  static void note_item(Answer& answer, const transcript::Item& item);
  void end_open_answers(std::string_view end_reason, Moment now);
  /// Sends the answers that have ended, except the latest `keep` of them.
  void send_ended(std::size_t keep);
  void send(Answer& answer);
  Utterance begin_utterance(const std::string& item_id, Moment now);
  void send(Utterance& utterance, std::string_view transcription, Moment end);
  void transcribed(std::string_view item_id, std::string_view how, std::string_view error,
                   Moment now);
  void finish_utterances(std::string_view open, std::string_view waiting, Moment now);

  SpanMaker& maker_;
  std::string provider_;
  std::string model_;
  std::deque<Answer> answers_;
  bool answer_ended_ = false;             ///< only measurements of the relay have followed
  std::optional<Utterance> speech_;       ///< begun, not committed
  std::deque<Utterance> waiting_;         ///< committed, without their transcription
  std::optional<Moment> speech_stopped_;  ///< no answer has begun since
  bool transcription_on_ = false;
};

}  // namespace verbatim::traces
