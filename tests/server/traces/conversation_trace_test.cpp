// The spans of one conversation, from the events that an observer sees.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "server/traces/conversation_trace.hpp"

using namespace verbatim;
using namespace verbatim::traces;
using namespace verbatim::transcript;

namespace {

struct Traced {
  SpanQueue queue{100};
  std::shared_ptr<const TraceFacts> facts = std::make_shared<const TraceFacts>(
      TraceFacts{"openai", "api.example.com", 443, std::chrono::milliseconds(50)});
  Moment clock{1'700'000'000'000, 1000};
  std::optional<ConversationTrace> trace;

  Traced() {
    relay::ObservedConversation conversation;
    conversation.session_id = "sess_1";
    conversation.requested_at = clock;
    SpanContext context;
    context.trace[0] = 1;
    trace.emplace(conversation, context, facts, queue);
    clear();
  }
  void clear() { spans(); }
  std::vector<Span> spans() {
    std::vector<Span> taken;
    queue.take(taken);
    queue.release(taken.size());
    return taken;
  }
  void pass(std::int64_t ms) {
    clock.wall += ms;
    clock.mono_ms += ms;
  }
  void event(EventBody body) { trace->recorded({"", std::move(body)}, clock); }
  void wait_for_journal(std::int64_t ms) {
    trace->journal_waited(monotonic_us() - ms * 1000, monotonic_us(), clock);
  }
  void begin(const std::string& response) { event(ResponseStarted{response}); }
  /// `first_audio_ms`: measured by the relay; 0: not.
  void end(const std::string& response, ResponseStatus status = ResponseStatus::completed,
           const std::string& reason = {}, std::int64_t first_audio_ms = 0) {
    ResponseEnded ended;
    ended.response_id = response;
    ended.status = status;
    ended.reason = reason;
    event(std::move(ended));
    if (first_audio_ms != 0) event(FirstAudio{response, first_audio_ms});
    event(ProviderError{});  // any other event
  }
  void item(const std::string& response, const std::string& id) {
    OutputItem output;
    output.response_id = response;
    output.item.id = id;
    event(std::move(output));
  }
};

std::string text_of(const Span& span, std::string_view name) {
  for (const auto& [key, value] : span.attributes)
    if (key == name)
      if (const auto* text = std::get_if<std::string>(&value.value())) return *text;
  return {};
}

std::optional<std::int64_t> number_of(const Span& span, std::string_view name) {
  for (const auto& [key, value] : span.attributes)
    if (key == name)
      if (const auto* number = std::get_if<std::int64_t>(&value.value())) return *number;
  return std::nullopt;
}

}  // namespace

TEST_CASE("an answer begins when the user stops speaking", "[traces][P5]") {
  Traced conversation;
  conversation.event(SpeechStopped{"u1", 900});
  conversation.pass(300);
  conversation.begin("r1");
  conversation.pass(1200);
  conversation.end("r1", ResponseStatus::completed, "", 500);
  conversation.begin("r2");  // nothing was said before it
  conversation.pass(10);
  conversation.end("r2");
  const auto spans = conversation.spans();
  REQUIRE(spans.size() == 1);
  CHECK(spans[0].end_us - spans[0].start_us == 1'500'000);
  CHECK(number_of(spans[0], names::first_audio_ms) == 500);
  conversation.end("r3");
  const auto second = conversation.spans();
  REQUIRE(second.size() == 1);
  CHECK(second[0].end_us - second[0].start_us == 10'000);
  CHECK_FALSE(number_of(second[0], names::first_audio_ms));
}

TEST_CASE("the span of an answer is sent when the end of the next answer is stored", "[traces]") {
  Traced conversation;
  conversation.begin("r1");
  conversation.end("r1");
  conversation.wait_for_journal(1);
  CHECK(conversation.spans().empty());
  conversation.begin("r2");
  ResponseEnded ended;
  ended.response_id = "r2";
  conversation.event(std::move(ended));
  conversation.event(FirstAudio{"r1", 700});
  CHECK(conversation.spans().empty());
  conversation.wait_for_journal(1);  // and nothing more is said
  const auto spans = conversation.spans();
  REQUIRE(spans.size() == 1);
  CHECK(text_of(spans[0], names::response_id) == "r1");
  CHECK(number_of(spans[0], names::first_audio_ms) == 700);
}

TEST_CASE("the first audio of an answer may be measured with the end of the next", "[traces]") {
  Traced conversation;
  conversation.begin("r1");
  conversation.end("r1");
  conversation.begin("r2");
  ResponseEnded ended;
  ended.response_id = "r2";
  conversation.event(std::move(ended));
  conversation.event(AnswerAudio{"a2", 100});
  conversation.event(FirstAudio{"r1", 700});
  CHECK(conversation.spans().empty());
  conversation.event(ProviderError{});
  const auto spans = conversation.spans();
  REQUIRE(spans.size() == 1);
  CHECK(number_of(spans[0], names::first_audio_ms) == 700);
}

TEST_CASE("an answer waits for what was played of it until the next has ended", "[traces][P5]") {
  Traced conversation;
  conversation.begin("r1");
  conversation.item("r1", "a1");
  conversation.end("r1");
  conversation.begin("r2");
  CHECK(conversation.spans().empty());
  conversation.event(ItemTruncated{"a1", 0, 700});
  conversation.end("r2");
  const auto spans = conversation.spans();
  REQUIRE(spans.size() == 1);
  CHECK(number_of(spans[0], names::heard_ms) == 700);
  CHECK(text_of(spans[0], names::end_reason) == "interrupted");
}

TEST_CASE("the end of an answer has a word for each outcome", "[traces]") {
  const auto reason = [](ResponseStatus status, const std::string& why) {
    Traced conversation;
    conversation.begin("r1");
    conversation.end("r1", status, why);
    conversation.end("r2");
    const auto spans = conversation.spans();
    REQUIRE(spans.size() == 1);
    return text_of(spans[0], names::end_reason) + (spans[0].failed ? " failed" : "");
  };
  CHECK(reason(ResponseStatus::completed, "") == "completed");
  CHECK(reason(ResponseStatus::cancelled, "turn_detected") == "interrupted");
  CHECK(reason(ResponseStatus::cancelled, "client_cancelled") == "cancelled");
  CHECK(reason(ResponseStatus::incomplete, "max_output_tokens") == "incomplete");
  CHECK(reason(ResponseStatus::failed, "server_error") == "failed failed");
}

TEST_CASE("a slow disk is seen inside the answer that it delayed, a fast one is not", "[traces]") {
  Traced conversation;
  conversation.begin("r1");
  conversation.wait_for_journal(49);
  CHECK(conversation.spans().empty());
  conversation.event(TextDelta{"a1", "r1", 0, false, {}, 0});
  conversation.event(TextDelta{"a1", "r1", 0, false, {}, 0});
  conversation.wait_for_journal(60);
  const auto waits = conversation.spans();
  REQUIRE(waits.size() == 1);
  CHECK(waits[0].name == names::journal);
  CHECK(number_of(waits[0], names::rows) == 2);
  CHECK(number_of(waits[0], names::wait_ms).value_or(0) >= 60);
  conversation.end("r1");
  conversation.end("r2");
  const auto answers = conversation.spans();
  REQUIRE(answers.size() == 1);
  CHECK(waits[0].parent == answers[0].id);
}

TEST_CASE("an utterance waits for its transcript, unless none is made", "[traces][P13]") {
  Traced conversation;
  const auto speak = [&](const std::string& id) {
    conversation.event(SpeechStarted{id, 0});
    conversation.pass(100);
    ItemPlaced placed;
    placed.item.id = id;
    placed.committed = true;
    conversation.event(std::move(placed));
  };
  speak("u1");
  auto spans = conversation.spans();
  REQUIRE(spans.size() == 1);
  CHECK(text_of(spans[0], names::transcription) == "off");

  conversation.event(SessionConfigured{true});
  speak("u2");
  speak("u3");
  conversation.event(SpeechStarted{"u4", 0});
  conversation.event(BufferCleared{});
  spans = conversation.spans();
  REQUIRE(spans.size() == 1);
  CHECK(text_of(spans[0], names::transcription) == "not_committed");

  conversation.pass(40);
  conversation.event(TranscriptionFailed{"u3", 0, "audio_unintelligible"});
  TextDone done;
  done.item_id = "u2";
  done.transcription = true;
  conversation.event(std::move(done));
  spans = conversation.spans();
  REQUIRE(spans.size() == 2);
  CHECK(text_of(spans[0], names::transcription) == "failed");
  CHECK(text_of(spans[0], names::error_type) == "audio_unintelligible");
  CHECK(text_of(spans[1], names::transcription) == "completed");
  CHECK(number_of(spans[1], names::transcript_after_ms) == 140);
  CHECK(spans[1].end_us - spans[1].start_us == 100'000);
}

TEST_CASE("a transcription that fails before its utterance is committed is sent as failed",
          "[traces][P13]") {
  Traced conversation;
  conversation.event(SessionConfigured{true});
  conversation.event(SpeechStarted{"u1", 0});
  conversation.event(TranscriptionFailed{"u1", 0, "audio_unintelligible"});
  ItemPlaced placed;
  placed.item.id = "u1";
  placed.committed = true;
  conversation.event(std::move(placed));
  const auto spans = conversation.spans();
  REQUIRE(spans.size() == 1);
  CHECK(text_of(spans[0], names::transcription) == "failed");
  CHECK(text_of(spans[0], names::error_type) == "audio_unintelligible");
}

TEST_CASE("answers and utterances that a provider never ends take the memory of a few spans",
          "[traces][P11]") {
  Traced conversation;
  conversation.event(SessionConfigured{true});
  for (int i = 0; i < 40; ++i) {
    conversation.begin("r" + std::to_string(i));
    ItemPlaced placed;
    placed.item.id = "u" + std::to_string(i);
    placed.committed = true;
    conversation.event(std::move(placed));
  }
  const auto spans = conversation.spans();
  CHECK(spans.size() == 2 * (40 - 16));
  CHECK(std::all_of(spans.begin(), spans.end(), [](const Span& span) {
    return span.name == names::user_input ? text_of(span, names::transcription) == "pending"
                                          : text_of(span, names::end_reason) == "other";
  }));
}
