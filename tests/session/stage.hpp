// A session's state machine under test control: a journal with a manual watermark, a manual clock,
// and both peers' messages.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/json/tree.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "session/realtime_session.hpp"
#include "tests/session/options.hpp"
#include "tests/support/memory_journal.hpp"

namespace verbatim::session::test {

using verbatim::test::MemoryJournal;

inline constexpr const char* created_without_transcription =
    R"({"type":"session.created","event_id":"e1","session":{"type":"realtime","id":"sess_p",)"
    R"("audio":{"input":{"transcription":null}}}})";
inline constexpr const char* updated_with_transcription =
    R"({"type":"session.updated","event_id":"e2","session":{"type":"realtime","id":"sess_p",)"
    R"("audio":{"input":{"transcription":{"model":"whisper-1"}}}}})";
inline constexpr const char* first_delta =
    R"({"type":"response.output_audio_transcript.delta","event_id":"e10","response_id":"r1",)"
    R"("item_id":"a1","output_index":0,"content_index":0,"delta":"Hello"})";
inline constexpr const char* audio_delta =
    R"({"type":"response.output_audio.delta","event_id":"e11","response_id":"r1","item_id":"a1",)"
    R"("output_index":0,"content_index":0,"delta":"AAAA"})";
inline constexpr const char* typed_item =
    R"({"type":"conversation.item.create","item":{"type":"message","role":"user",)"
    R"("content":[{"type":"input_text","text":"Hi."}]}})";
inline constexpr const char* speech_started =
    R"({"type":"input_audio_buffer.speech_started","event_id":"e20","item_id":"u1",)"
    R"("audio_start_ms":0})";
inline constexpr const char* speech_committed =
    R"({"type":"input_audio_buffer.committed","event_id":"e21","item_id":"u1",)"
    R"("previous_item_id":null})";
inline constexpr const char* transcribed =
    R"({"type":"conversation.item.input_audio_transcription.completed","event_id":"e22",)"
    R"("item_id":"u1","content_index":0,"transcript":"Goodbye."})";

/// A session with both peers, which the test plays.
struct Stage {
  explicit Stage(SessionOptions given = usual_options(), bool extension_events = false,
                 const protocol::ClientDialect* dialect = nullptr)
      : session({"sess_t", 7, 1, extension_events, dialect}, std::move(given), journal, clock) {}

  void client(std::string bytes) { session.client_said({std::move(bytes), 1, {}}, clock); }
  void provider(std::string bytes) { said_by(upstream, std::move(bytes)); }
  void said_by(UpstreamId by, std::string bytes) {
    session.upstream_said(by, {std::move(bytes), 1, {}}, clock);
  }
  /// The upstream connection that the session now asks to open.
  UpstreamId dial() {
    const auto wanted = session.take_dial(clock);
    REQUIRE(wanted);
    return upstream = *wanted;
  }
  void open() {
    session.upstream_opened(dial(), clock);
    provider(created_without_transcription);
    provider(updated_with_transcription);
    journal.sync();
    drain_client();
    drain_upstream();
  }
  void pass(std::int64_t ms) {
    clock.mono_ms += ms;
    clock.wall += ms;
    session.time_passed(clock);
  }
  /// Messages that the client may get now.
  std::vector<std::string> drain_client() {
    std::vector<std::string> out;
    while (session.to_client().ready(journal.synced))
      out.push_back(session.take_for_client()->bytes);
    return out;
  }
  /// Messages that the current upstream connection may get now.
  std::vector<std::string> drain_upstream() {
    std::vector<std::string> out;
    for (const Outbox* box = session.outbox_of(upstream); box && box->ready(journal.synced);
         box = session.outbox_of(upstream))
      out.push_back(session.take_for(upstream)->bytes);
    return out;
  }

  MemoryJournal journal;
  Moment clock{1'000'000, 5'000};
  RealtimeSession session;
  UpstreamId upstream = 0;
};

inline Json only(const std::vector<std::string>& messages) {
  REQUIRE(messages.size() == 1);
  return Json::parse(messages.front());
}

}  // namespace verbatim::session::test
