// An input returns everything that it changed (session/changes.hpp): random inputs, and for each
// the difference between all outputs before and after.
#include <map>
#include <random>

#include "tests/session/options.hpp"
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// All that a driver could ask of a session.
struct Outputs {
  bool client_ready = false;
  std::map<UpstreamId, bool> upstream_ready;  ///< of the connections that carry something
  bool wants_client = false;
  bool wants_upstream = false;
  bool wants_dial = false;
  std::int64_t deadline_ms = 0;
  bool awaits_journal = false;
  bool ended = false;
  bool settled = false;
  RealtimeSession::Counts counts;
  decltype(ResponseCounts::by_status) responses{};
  bool detached = false;
};

/// A session that gets random inputs, in orders that no client and no provider would choose.
class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed), stage_(options(), below(2) == 0) {}

  void run(int inputs) {
    for (int i = 0; i < inputs; ++i) {
      if (stage_.session.settled() && ++after_end_ > 20) return;
      step();
    }
  }

  /// How often each flag was needed.
  static std::map<Change, int>& needed() {
    static std::map<Change, int> counts;
    return counts;
  }

 private:
  SessionOptions options() {
    SessionOptions options = usual_options();
    if (!one_in(5)) options.resume_window_ms = 20'000;
    if (!one_in(6)) options.reconnect = {20, 0, 5'000, 7};
    if (one_in(2)) options.rotate_after_ms = 15'000;
    if (one_in(3)) options.client_queue_bytes_max = 2'000;
    if (one_in(3)) options.upstream_queue_bytes_max = 1'000;
    if (one_in(3)) options.journal_share_bytes = 500;
    if (one_in(4)) options.users_pace = std::make_shared<PaceAccount>(4'000);
    if (one_in(8)) options.budget.journal_bytes_per_minute = 20'000;
    if (one_in(3)) options.resume_buffer_bytes_max = 1'500;
    if (one_in(3)) options.session_config_json = R"({"instructions":"Be kind."})";
    options.slow_client_timeout_ms = 5'000;
    options.idle_timeout_ms = 90'000;
    options.ending_notice_ms = 10'000;
    return options;
  }

  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool one_in(std::size_t many) { return below(many) == 0; }
  std::string id() { return std::to_string(below(6)); }

  Outputs outputs() const {
    const RealtimeSession& session = stage_.session;
    const Sequence durable = stage_.journal.durable();
    Outputs now;
    now.client_ready = session.client_attached() && session.to_client().ready(durable);
    for (UpstreamId one = 1; one <= upstreams_; ++one)
      if (const Outbox* const outbox = session.outbox_of(one))
        now.upstream_ready[one] = outbox->ready(durable);
    now.wants_client = session.wants_client();
    now.wants_upstream = session.wants_upstream();
    now.wants_dial = session.wants_dial(stage_.clock);
    now.deadline_ms = session.next_deadline_ms();
    now.awaits_journal = session.waits_for_journal(durable);
    now.ended = session.ended();
    now.settled = session.settled();
    now.counts = session.counts();
    now.responses = session.responses().by_status;
    now.detached = session.detached();
    return now;
  }

  void require(bool changed, Change flag, Changes changes, const std::string& input) {
    if (!changed) return;
    ++needed()[flag];
    INFO("input " << input << " of step " << steps_ << ", flag " << static_cast<int>(flag));
    REQUIRE(changes.has(flag));
  }

  void check(const std::string& input, Changes changes, const Outputs& before) {
    const Outputs after = outputs();
    require(!before.client_ready && after.client_ready, Change::client_writable, changes, input);
    for (const auto& [one, ready] : after.upstream_ready) {
      const auto was = before.upstream_ready.find(one);
      require(ready && (was == before.upstream_ready.end() || !was->second),
              Change::upstream_writable, changes, input);
    }
    for (const auto& [one, ready] : before.upstream_ready)
      require(!after.upstream_ready.contains(one), Change::superfluous, changes, input);
    require(!before.wants_client && after.wants_client, Change::client_readable, changes, input);
    require(!before.wants_upstream && after.wants_upstream, Change::upstream_readable, changes,
            input);
    require(!before.wants_dial && after.wants_dial, Change::dial, changes, input);
    require(after.deadline_ms < before.deadline_ms, Change::deadline, changes, input);
    require(!before.awaits_journal && after.awaits_journal, Change::awaits_journal, changes, input);
    require(!before.ended && after.ended, Change::ended, changes, input);
    require(!before.settled && after.settled, Change::settled, changes, input);
    require(before.counts != after.counts || before.responses != after.responses ||
                before.detached != after.detached,
            Change::counts, changes, input);
  }

  template <class Input>
  void give(const std::string& name, Input input) {
    const Outputs before = outputs();
    const Changes changes = input();
    check(name, changes, before);
  }

  void say_as_client(std::string bytes) {
    const std::string name = "client " + bytes;
    give(name, [&] {
      return stage_.session.client_said({std::move(bytes), 1, MessageKind::other}, stage_.clock);
    });
  }
  void say_as_provider(UpstreamId upstream, std::string bytes) {
    const std::string name = "provider " + std::to_string(upstream) + " " + bytes;
    give(name, [&] {
      return stage_.session.upstream_said(upstream, {std::move(bytes), 1, MessageKind::other},
                                          stage_.clock);
    });
  }
  UpstreamId some_upstream() { return upstreams_ - static_cast<UpstreamId>(below(2)); }

  /// The driver's steps after each input, apart from sending.
  void step() {
    ++steps_;
    dial();
    switch (below(14)) {
      case 0:
      case 1:
        return say_as_client(client_message());
      case 2:
      case 3:
      case 4:
      case 5:
        return say_as_provider(some_upstream(), provider_message());
      case 6:
        return take_client();
      case 7:
      case 8:
        return take_upstream();
      case 9:
        return pass_time();
      case 10:
      case 11:
        return move_journal();
      case 12:
        return change_client();
      default:
        return change_upstream();
    }
  }

  void dial() {
    give("dial", [&] {
      while (const auto dialled = stage_.session.take_dial(stage_.clock)) {
        upstreams_ = *dialled;
        created_here_ = false;
      }
      return stage_.session.take_changes();
    });
  }

  std::string client_message() {
    const std::string item = R"({"item_id":"u)" + id() + R"(","content_index":0,"audio_end_ms":1,)";
    switch (below(12)) {
      case 0:
        return typed_item;
      case 1:
        return Json{{"type", "conversation.item.create"},
                    {"previous_item_id", "u" + id()},
                    {"item", typed_message("u" + id(), "Hi.")}}
            .dump();
      case 2:
        return R"({"type":"response.create"})";
      case 3:
        return R"({"type":"input_audio_buffer.commit"})";
      case 4:
        return R"({"type":"input_audio_buffer.clear"})";
      case 5:
        return R"({"type":"session.update","session":{"type":"realtime","instructions":"x"}})";
      case 6:
        return item + R"("type":"conversation.item.truncate"})";
      case 7:
        return item + R"("type":"conversation.item.retrieve"})";
      case 8:
        return item + R"("type":"conversation.item.delete"})";
      case 9:
        return one_in(10) ? R"({"type":"session.update","session":{"type":"transcription"}})"
                          : "no JSON";
      case 10:
        return one_in(30) ? R"({"type":"verbatim.end"})" : typed_item;
      default:
        return R"({"type":"input_audio_buffer.append","audio":")" + std::string(400, 'A') + "\"}";
    }
  }

  std::string provider_message() {
    if (!created_here_ && !one_in(4)) {
      created_here_ = true;
      return created("sess_" + std::to_string(steps_),
                     one_in(3) ? stage_.clock.wall / 1000 + 5 : 0);
    }
    if (!taken_items_.empty() && !one_in(4)) {
      const std::string item = taken_items_.front();
      taken_items_.erase(taken_items_.begin());
      return added(Json::parse(item), nullptr, event_id());
    }
    const std::string answer = "a" + id();
    const std::string response = "r" + id();
    const std::string part = R"(,"event_id":")" + event_id() + R"(","response_id":")" + response +
                             R"(","item_id":")" + answer +
                             R"(","output_index":0,"content_index":0,)";
    const std::string user = R"(,"event_id":")" + event_id() + R"(","item_id":"u)" + id() + "\"";
    switch (below(16)) {
      case 0:
        return updated_with_transcription;
      case 1:
        return created_without_transcription;
      case 2:
        return R"({"type":"response.created","event_id":")" + event_id() +
               R"(","response":{"id":")" + response + "\"}}";
      case 3:
        return added({{"id", answer},
                      {"type", "message"},
                      {"role", "assistant"},
                      {"status", "in_progress"},
                      {"content", Json::array()}},
                     "u" + id(), event_id());
      case 4:
      case 5:
        return R"({"type":"response.output_audio_transcript.delta")" + part + R"("delta":"Hello"})";
      case 6:
        return R"({"type":"response.output_audio.delta")" + part + R"("delta":")" +
               std::string(400, 'A') + "\"}";
      case 7:
        return R"({"type":"response.output_audio_transcript.done")" + part +
               R"("transcript":"Hello"})";
      case 8:
        return R"({"type":"response.output_item.done","event_id":")" + event_id() +
               R"(","response_id":")" + response + R"(","output_index":0,"item":{"id":")" + answer +
               R"(","type":"message","role":"assistant","status":"completed","content":)"
               R"([{"type":"output_audio","transcript":"Hello"}]}})";
      case 9:
        return R"({"type":"response.done","event_id":")" + event_id() + R"(","response":{"id":")" +
               response + R"(","status":"completed","output":[],"usage":{"total_tokens":3}}})";
      case 10:
        return R"({"type":"input_audio_buffer.speech_started")" + user + R"(,"audio_start_ms":0})";
      case 11:
        return R"({"type":"input_audio_buffer.committed")" + user + R"(,"previous_item_id":null})";
      case 12:
        return R"({"type":"conversation.item.input_audio_transcription.completed")" + user +
               R"(,"content_index":0,"transcript":"Goodbye."})";
      case 13:
        return R"({"type":"error","event_id":")" + event_id() +
               R"(","error":{"type":"invalid_request_error","code":"odd","message":"odd"}})";
      case 14:
        return added(typed_message("u" + id(), "Hi."), nullptr, event_id());
      default:
        return one_in(2)
                   ? R"({"type":"input_audio_buffer.cleared","event_id":")" + event_id() + "\"}"
                   : R"({"type":"new.event"})";
    }
  }

  std::string event_id() { return "e" + std::to_string(++events_); }

  void take_client() {
    give("taking for the client", [&] {
      std::size_t most = 1 + below(8);
      while (most-- > 0 && stage_.session.client_attached() &&
             stage_.session.to_client().ready(stage_.journal.durable()))
        stage_.session.take_for_client();
      return stage_.session.take_changes();
    });
  }

  void take_upstream() {
    const UpstreamId from = some_upstream();
    give("taking for the provider", [&] {
      std::size_t most = 1 + below(8);
      for (const Outbox* box = stage_.session.outbox_of(from);
           most-- > 0 && box && box->ready(stage_.journal.durable());
           box = stage_.session.outbox_of(from)) {
        const MessagePtr message = stage_.session.take_for(from);
        const Json event = Json::parse(message->bytes, nullptr, false);
        if (event.is_object() && event["type"] == "conversation.item.create" &&
            event["item"].contains("id"))
          taken_items_.push_back(event["item"].dump());
      }
      return stage_.session.take_changes();
    });
  }

  /// The driver's clock wakes it at the deadline; the time may also pass between two inputs.
  void pass_time() {
    std::int64_t ms = static_cast<std::int64_t>(below(3'000));
    const std::int64_t deadline = stage_.session.next_deadline_ms();
    if (one_in(2) && deadline < stage_.clock.mono_ms + 60'000)
      ms = std::max<std::int64_t>(0, deadline - stage_.clock.mono_ms);
    stage_.clock.mono_ms += ms;
    stage_.clock.wall += ms;
    const bool wants = outputs().wants_dial;
    give("time", [&] {
      const Changes changes = stage_.session.time_passed(stage_.clock);
      require(wants && stage_.session.wants_dial(stage_.clock), Change::dial, changes, "time");
      return changes;
    });
  }

  void move_journal() {
    MemoryJournal& journal = stage_.journal;
    if (one_in(8)) {
      journal.crowd = true;  // by other sessions: the driver looks at it before it reads
      return;
    }
    give("the journal", [&] {
      journal.crowd = false;
      journal.synced += below(journal.submitted - journal.synced + 1);
      if (one_in(400)) journal.broken = journal.refuses = true;
      const Changes changes = stage_.session.journal_moved(stage_.clock);
      // The journal notifies once. A wait that remains after that must be noted again.
      const Outputs after = outputs();
      require(after.client_ready, Change::client_writable, changes, "the journal");
      for (const auto& [one, ready] : after.upstream_ready)
        require(ready, Change::upstream_writable, changes, "the journal");
      require(after.awaits_journal, Change::awaits_journal, changes, "the journal");
      return changes;
    });
    if (one_in(1'000)) journal.refuses = true;
  }

  void change_client() {
    if (stage_.session.client_attached() && !one_in(3)) {
      if (one_in(8))
        return give("a frame that is not a message",
                    [&] { return stage_.session.refuse_frame("binary"); });
      if (one_in(8))
        return give("a refused connection",
                    [&] { return stage_.session.refuse_connection("too_big", "too big"); });
      return give("the client's end", [&] {
        return stage_.session.client_gone(one_in(40) ? LinkEnd{true, 1000, ""} : lost,
                                          stage_.clock);
      });
    }
    const std::uint64_t sent = stage_.session.to_client().next_number() - 1;
    ClientReturn how;
    how.extension_events = one_in(2);
    if (!one_in(3)) how.after = sent - below(std::min<std::uint64_t>(sent, 3) + 1);
    give("the client's return", [&] { return stage_.session.client_returned(how, stage_.clock); });
  }

  void change_upstream() {
    const UpstreamId upstream = some_upstream();
    switch (below(8)) {
      case 0:
        return give("the provider's end", [&] {
          return stage_.session.upstream_gone(
              upstream, one_in(3) ? LinkEnd{true, 1001, "maximum duration"} : lost, stage_.clock);
        });
      case 1:
        if (!one_in(20)) return;
        return give("no provider", [&] {
          return stage_.session.upstream_unavailable(upstream, CloseReason::upstream_lost, "away",
                                                     stage_.clock);
        });
      case 2:
        return give("a skipped message",
                    [&] { return stage_.session.upstream_skipped(upstream, stage_.clock); });
      case 3:
        if (!one_in(20)) return;
        return give("suspension", [&] { return stage_.session.suspend("bye", stage_.clock); });
      case 4:
        if (!one_in(20)) return;
        return give("an end", [&] {
          return stage_.session.end(CloseReason::policy, "enough", stage_.clock);
        });
      default:
        return give("an open connection",
                    [&] { return stage_.session.upstream_opened(upstream, stage_.clock); });
    }
  }

  std::mt19937_64 random_;
  Stage stage_;
  UpstreamId upstreams_ = 0;
  bool created_here_ = false;
  std::vector<std::string> taken_items_;
  int steps_ = 0;
  int events_ = 0;
  int after_end_ = 0;
};

}  // namespace

TEST_CASE("an input returns every difference that it made to the outputs", "[P1][P8][changes]") {
  Chaos::needed().clear();
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    Chaos(seed).run(400);
  }
  for (const Change flag :
       {Change::client_writable, Change::upstream_writable, Change::client_readable,
        Change::upstream_readable, Change::dial, Change::superfluous, Change::deadline,
        Change::awaits_journal, Change::ended, Change::settled, Change::counts}) {
    INFO("flag " << static_cast<int>(flag));
    CHECK(Chaos::needed()[flag] > 100);
  }
}

TEST_CASE("an audio message wakes the writer of the other side and nothing else",
          "[P12][changes]") {
  Stage stage;
  stage.open();
  stage.session.take_changes();
  CHECK(stage.session.client_said(
            {R"({"type":"input_audio_buffer.append","audio":"AAAA"})", 1, MessageKind::other},
            stage.clock) == Changes(Change::upstream_writable));
  stage.drain_upstream();
  CHECK(stage.session.take_changes().empty());
  CHECK(stage.session.upstream_said(stage.upstream, {audio_delta, 1, MessageKind::other},
                                    stage.clock) == Changes(Change::client_writable));
  stage.drain_client();
  CHECK(stage.session.take_changes().empty());
}

TEST_CASE("a continued session asks for a dial at once", "[P8][changes]") {
  Stage stage(with_reconnect());
  const Changes changes = stage.session.take_up(Transcript(), SessionSettings(), stage.clock);
  CHECK(changes.has(Change::dial));
  CHECK(changes.has(Change::deadline));
  CHECK(stage.session.wants_dial(stage.clock));
}

TEST_CASE("an end that becomes durable between two looks at the watermark is noted or waited for",
          "[P2][changes]") {
  for (int reads = 0; reads < 8; ++reads) {
    INFO("the watermark moves after read " << reads);
    Stage stage;
    stage.open();
    stage.journal.sync();
    stage.session.end(CloseReason::policy, "enough", stage.clock);
    REQUIRE_FALSE(stage.session.settled());
    stage.journal.syncs_after_reads = reads;
    const Changes changes = stage.session.journal_moved(stage.clock);
    CHECK((changes.has(Change::settled) || changes.has(Change::awaits_journal)));
  }
}
