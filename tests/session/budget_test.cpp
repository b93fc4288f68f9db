// Limits and budgets: the warnings before, the ends, and the counts.
#include "session/budget.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// The shared totals of one user's sessions, without threads.
struct Account final : SharedUsage {
  Usage add(std::int64_t audio_ms, std::int64_t tokens) override {
    sum.input_audio_ms += audio_ms;
    sum.total_tokens += tokens;
    ++calls;
    return sum;
  }
  Usage sum;
  int calls = 0;
};

Usage audio_usage(std::int64_t ms) {
  Usage usage;
  usage.output_audio_ms = ms;
  return usage;
}

Usage tokens(std::int64_t count) {
  Usage usage;
  usage.total_tokens = count;
  return usage;
}

/// A second of PCM at 24 kHz takes 48,000 bytes, 64,000 in base64.
std::string append_of(std::int64_t ms) {
  return R"({"type":"input_audio_buffer.append","audio":")" +
         std::string(static_cast<std::size_t>(ms) * 64, 'A') + "\"}";
}

std::string response_done(int number, int used) {
  const std::string n = std::to_string(number);
  return R"({"type":"response.done","event_id":"done)" + n + R"(","response":{"id":"r)" + n +
         R"(","status":"completed","output":[],"usage":{"total_tokens":)" + std::to_string(used) +
         R"(,"input_tokens":1,"output_tokens":2}}})";
}

std::vector<Json> events(Stage& stage, const std::string& type) {
  std::vector<Json> found;
  stage.journal.sync();
  for (const std::string& bytes : stage.drain_client()) {
    Json event = Json::parse(bytes);
    if (event["type"] == type) found.push_back(std::move(event));
  }
  return found;
}

std::string reason_of(const Stage& stage) {
  return stage.session.ended() ? std::string(to_string(stage.session.reason())) : "none";
}

}  // namespace

TEST_CASE("a budget is warned once, and then ends the session", "[limits]") {
  BudgetLimits limits = usual_limits();
  limits.tokens = 100;
  Budget budget(limits, nullptr, 0);
  budget.listen(true);
  CHECK_FALSE(budget.spent(tokens(79)));
  const auto near = budget.spent(tokens(80));
  REQUIRE(near);
  CHECK_FALSE(near->reached);
  CHECK(near->limit == Limit::tokens);
  CHECK(near->used == 80);
  CHECK(near->most == 100);
  CHECK_FALSE(budget.spent(tokens(99)));
  CHECK(budget.spent(tokens(100))->reached);
  CHECK(budget.reached() == Limit::tokens);
  CHECK_FALSE(budget.spent(tokens(200)));
  CHECK(budget.warnings()[3] == 1);
}

TEST_CASE("usage that passes the warning and the limit at once is still warned", "[limits]") {
  BudgetLimits limits = usual_limits();
  limits.tokens = 100;
  limits.max_duration_ms = 1000;
  limits.notice_ms = 100;
  Budget budget(limits, nullptr, 0);
  budget.listen(true);
  const auto near = budget.spent(tokens(500));
  CHECK_FALSE(near->reached);
  CHECK(near->used == 500);
  CHECK(budget.spent(tokens(500))->reached);
  Budget late(limits, nullptr, 0);
  late.listen(true);
  CHECK_FALSE(late.time_passed(5000)->reached);
  CHECK(late.time_passed(5000)->reached);
}

TEST_CASE("a budget that is not set never warns", "[limits]") {
  Budget budget({}, nullptr, 0);
  CHECK_FALSE(budget.spent(tokens(1'000'000'000)));
  CHECK_FALSE(budget.time_passed(1'000'000'000));
}

TEST_CASE("a client that asked for no warnings gets none", "[limits]") {
  BudgetLimits limits = usual_limits();
  limits.audio_ms = 1000;
  limits.warn_percent = 100;
  Budget budget(limits, nullptr, 0);
  budget.listen(true);
  CHECK_FALSE(budget.spent(audio_usage(999)));
  CHECK(budget.spent(audio_usage(1000))->reached);
}

TEST_CASE("a user's shared limit ends the session that reaches it", "[limits]") {
  const auto account = std::make_shared<Account>();
  BudgetLimits limits = usual_limits();
  limits.user_tokens = 100;
  limits.user_audio_ms = 60'000;
  Budget one(limits, account, 0);
  Budget other(limits, account, 0);
  other.listen(true);
  CHECK_FALSE(one.spent(tokens(50)));
  CHECK_FALSE(other.spent(tokens(40))->reached);
  CHECK_FALSE(one.spent(tokens(50)));  // it has used nothing more, so it does not ask
  CHECK(one.spent(tokens(60))->reached);
  CHECK(one.reached() == Limit::user_tokens);
}

TEST_CASE("an audio frame does not update the shared total, but no millisecond is lost",
          "[limits]") {
  const auto account = std::make_shared<Account>();
  Budget budget({}, account, 0);
  for (std::int64_t ms = 20; ms <= 1000; ms += 20) budget.spent(audio_usage(ms));
  CHECK(account->calls == 2);
  budget.spent(audio_usage(1020));
  budget.hand_on(audio_usage(1020));
  CHECK(account->sum.audio_ms() == 1020);
  budget.hand_on(audio_usage(1020));
  CHECK(account->sum.audio_ms() == 1020);
}

TEST_CASE("each silence is warned once", "[limits]") {
  BudgetLimits limits = usual_limits();
  limits.idle_timeout_ms = 1000;
  limits.notice_ms = 300;
  Budget budget(limits, nullptr, 0);
  budget.listen(true);
  CHECK(budget.next_deadline_ms() == 700);
  CHECK_FALSE(budget.time_passed(699));
  CHECK_FALSE(budget.time_passed(700)->reached);
  CHECK_FALSE(budget.time_passed(900));
  CHECK(budget.next_deadline_ms() == 1000);
  budget.active(900);
  CHECK(budget.next_deadline_ms() == 1600);
  CHECK_FALSE(budget.time_passed(1600)->reached);
  CHECK(budget.time_passed(1900)->reached);
  CHECK(budget.warnings()[1] == 2);
}

TEST_CASE("a silence is warned at the earliest when half of it has passed", "[limits]") {
  BudgetLimits limits = usual_limits();
  limits.idle_timeout_ms = 1000;
  limits.notice_ms = 60'000;
  Budget budget(limits, nullptr, 0);
  budget.listen(true);
  CHECK(budget.next_deadline_ms() == 500);
  CHECK_FALSE(budget.time_passed(499));
  CHECK_FALSE(budget.time_passed(500)->reached);
}

TEST_CASE("clients without warnings get none, and no work is done for them", "[limits]") {
  BudgetLimits limits = usual_limits();
  limits.max_duration_ms = 1000;
  limits.notice_ms = 100;
  limits.tokens = 10;
  Budget budget(limits, nullptr, 0);
  CHECK(budget.next_deadline_ms() == 1000);
  CHECK_FALSE(budget.time_passed(950));
  CHECK_FALSE(budget.spent(tokens(9)));
  CHECK(budget.warnings()[0] == 0);
}

TEST_CASE("a session that has used its tokens is warned and ends with policy", "[limits][P2]") {
  SessionOptions options = usual_options();
  options.budget.tokens = 10;
  Stage stage(options, true);
  stage.open();
  stage.provider(response_done(1, 9));
  const Json near = events(stage, "verbatim.ending").at(0);
  CHECK(near["close_reason"] == "policy");
  CHECK(near["limit"] == "tokens");
  CHECK(near["used"] == 9);
  CHECK(near["max"] == 10);
  CHECK(reason_of(stage) == "none");
  stage.provider(response_done(1, 9));  // the same event_id again: not counted again
  CHECK(reason_of(stage) == "none");
  stage.provider(response_done(2, 1));
  CHECK(reason_of(stage) == "policy");
  CHECK(stage.session.why().starts_with("tokens"));
  stage.journal.sync();
  const auto last = stage.drain_client();
  CHECK(Json::parse(last.at(1))["type"] == "response.done");  // the client gets what was charged
  CHECK(Json::parse(last.at(2))["error"]["code"] == "policy");
  CHECK(stage.journal.endings.at(0).transcript.used.total_tokens == 10);
}

TEST_CASE("transcriptions count as well, once for each part", "[limits]") {
  SessionOptions options = usual_options();
  options.budget.tokens = 10;
  Stage stage(options);
  stage.open();
  stage.provider(speech_committed);
  const std::string done =
      R"({"type":"conversation.item.input_audio_transcription.completed","item_id":"u1",)"
      R"("content_index":0,"transcript":"Hi.","usage":{"type":"tokens","total_tokens":6},"event_id":")";
  stage.provider(done + "t1\"}");
  stage.provider(done + "t2\"}");
  CHECK(reason_of(stage) == "none");
  stage.provider(response_done(1, 4));
  CHECK(reason_of(stage) == "policy");
}

TEST_CASE("audio counts by its bytes in both directions, also in items", "[limits]") {
  SessionOptions options = usual_options();
  options.budget.audio_ms = 3000;
  Stage stage(options, true);
  stage.open();
  stage.client(append_of(1000));
  stage.client(R"({"type":"conversation.item.create","item":{"type":"message","role":"user",)"
               R"("content":[{"type":"input_audio","audio":")" +
               std::string(64'000, 'A') + "\"}]}}");
  CHECK(events(stage, "verbatim.ending").empty());
  stage.provider(R"({"type":"response.output_audio.delta","event_id":"d1","item_id":"a1",)"
                 R"("content_index":0,"delta":")" +
                 std::string(32'000, 'A') + "\"}");
  CHECK(events(stage, "verbatim.ending").at(0)["used"] == 2);
  CHECK(reason_of(stage) == "none");
  stage.client(append_of(500));
  CHECK(reason_of(stage) == "policy");
  const Usage& used = stage.session.outcome().used;
  CHECK(used.input_audio_ms == 2500);
  CHECK(used.output_audio_ms == 500);
}

TEST_CASE("audio counts by the formats in force", "[limits]") {
  Stage stage;
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(R"({"type":"session.created","event_id":"c","session":{"id":"s","audio":{)"
                 R"("input":{"format":{"type":"audio/pcmu"},"transcription":{"model":"w"}},)"
                 R"("output":{"format":{"type":"audio/pcm","rate":24000}}}}})");
  stage.client(R"({"type":"input_audio_buffer.append","audio":")" + std::string(3200, 'A') + "\"}");
  stage.session.end(CloseReason::client_ended, "", stage.clock);
  CHECK(stage.session.outcome().used.input_audio_ms == 300);
}

TEST_CASE("a repeat of the provider's audio is not counted again", "[limits]") {
  Stage stage;
  stage.open();
  const std::string delta =
      R"({"type":"response.output_audio.delta","event_id":"d1","item_id":"a1","content_index":0,)"
      R"("delta":")" +
      std::string(6400, 'A') + "\"}";
  stage.provider(delta);
  stage.provider(delta);
  stage.session.end(CloseReason::client_ended, "", stage.clock);
  CHECK(stage.session.outcome().used.output_audio_ms == 100);
}

TEST_CASE("a finished response's usage is in the journal before the client has it",
          "[limits][P1]") {
  Stage stage;
  stage.open();
  stage.client(append_of(40));
  stage.provider(response_done(1, 9));
  stage.journal.synced = stage.journal.submitted - 1;  // all but the last row
  CHECK(stage.drain_client().empty());
  stage.journal.sync();
  CHECK(stage.drain_client().size() == 1);
  // A crash now: the sum of the journal's rows.
  Transcript recovered;
  for (const auto& row : stage.journal.rows) recovered.apply(row.event, row.at);
  CHECK(recovered.used().total_tokens == 9);
  CHECK(recovered.used().input_audio_ms == 40);
  CHECK(sum_usage(finalise(recovered, 0).usage_json).input_audio_ms == 40);
}

TEST_CASE("microphone frames do not count as activity, answers do", "[limits]") {
  SessionOptions options = usual_options();
  options.idle_timeout_ms = 1000;
  options.ending_notice_ms = 200;
  Stage stage(options, true);
  stage.open();
  stage.pass(700);
  stage.client(append_of(20));
  stage.pass(100);
  const Json near = events(stage, "verbatim.ending").at(0);
  CHECK(near["limit"] == "idle_timeout");
  CHECK(near["close_reason"] == "idle_timeout");
  CHECK(near["in_ms"] == 200);
  stage.provider(first_delta);
  stage.pass(799);
  CHECK(events(stage, "verbatim.ending").empty());
  stage.client(append_of(20));
  stage.pass(201);
  CHECK(reason_of(stage) == "idle_timeout");
}

TEST_CASE("any usage object is read", "[limits]") {
  CHECK(read_usage(R"({"total_tokens":7,"input_tokens":3,"output_tokens":4})").total_tokens == 7);
  CHECK(read_usage(R"({"input_tokens":3,"output_tokens":4})").total_tokens == 7);
  CHECK(read_usage(R"({"type":"duration","seconds":3})").transcription_ms == 3000);
  CHECK(read_usage(R"({"total_tokens":-5})") == Usage{});
  CHECK(read_usage(R"({"total_tokens":1e30})") == Usage{});
  CHECK(read_usage("nonsense") == Usage{});
  const Usage sum = sum_usage(R"([{"total_tokens":7},{"type":"duration","seconds":2},)" +
                              metered_audio(1500, 20) + "]");
  CHECK(sum.total_tokens == 7);
  CHECK(sum.transcription_ms == 2000);
  CHECK(sum.audio_ms() == 1520);
}

TEST_CASE("counts of a damaged journal do not overflow", "[limits]") {
  const auto most = std::numeric_limits<std::int64_t>::max();
  Transcript transcript;
  transcript.apply({"", AudioMetered{most, most}}, 1);
  transcript.apply({"", AudioMetered{535, 535}}, 2);
  CHECK(transcript.used().audio_ms() == 2 * usage_max);
  std::string list = "[";
  for (int i = 0; i < 10'000; ++i) list += R"({"type":"duration","seconds":1000000000000},)";
  CHECK(sum_usage(list + "{}]").transcription_ms == usage_max);
}

TEST_CASE("a session that journals too much in a minute ends, and the minute passes",
          "[limits][P11]") {
  SessionOptions options = usual_options();
  options.idle_timeout_ms = options.max_duration_ms = 0;
  options.budget.journal_bytes_per_minute = 2'000;
  Stage stage(options);
  stage.open();
  // Each item counts as a fixed size; the turn beside it is journaled too.
  stage.journal.bytes_of_each = 500;
  stage.pass(60'000);
  for (int minute = 0; minute < 3; ++minute) {
    stage.client(typed_item);
    stage.pass(60'000);
  }
  REQUIRE(reason_of(stage) == "none");
  for (int i = 0; i < 5; ++i) stage.client(typed_item);
  CHECK(reason_of(stage) == "policy");
  CHECK(stage.session.budget().reached() == Limit::journal_bytes);
  REQUIRE(stage.journal.endings.size() == 1);
  const auto errors = events(stage, "error");
  REQUIRE(errors.size() == 1);
  CHECK(errors[0]["error"]["message"].get<std::string>().find("journal_bytes") !=
        std::string::npos);
}

TEST_CASE("provider events count for the journal limit like client events", "[limits][P11]") {
  SessionOptions options = usual_options();
  options.budget.journal_bytes_per_minute = 2'000;
  Stage stage(options);
  stage.open();
  stage.journal.bytes_of_each = 900;
  for (const char* id : {"e30", "e31", "e32"}) {
    std::string delta = first_delta;
    stage.provider(delta.replace(delta.find("e10"), 3, id));
  }
  CHECK(reason_of(stage) == "policy");
}

TEST_CASE("a session ends by the limit that it shares with others", "[limits][P11]") {
  const Limit limit = GENERATE(Limit::journal_bytes, Limit::all_journal_bytes);
  struct Judge final : SharedJournal {
    std::optional<Limit> add(std::size_t bytes, std::int64_t) override {
      sum += bytes;
      return ends;
    }
    std::size_t sum = 0;
    std::optional<Limit> ends;
  };
  const auto judge = std::make_shared<Judge>();
  SessionOptions options = usual_options();
  options.budget.shared_journal = judge;
  Stage stage(options);
  stage.open();
  stage.client(typed_item);
  CHECK(judge->sum > 0);
  REQUIRE(reason_of(stage) == "none");
  judge->ends = limit;
  stage.client(typed_item);
  CHECK(reason_of(stage) == "policy");
  CHECK(stage.session.budget().reached() == limit);
}

TEST_CASE("a session that is faster than the disk waits, and only it", "[limits][P11]") {
  SessionOptions options = usual_options();
  options.journal_share_bytes = 1'000;
  Stage fast(options);
  fast.open();
  fast.journal.bytes_of_each = 600;
  REQUIRE(fast.session.wants_client());
  fast.client(typed_item);
  fast.client(typed_item);
  CHECK_FALSE(fast.session.wants_client());
  CHECK_FALSE(fast.session.wants_upstream());
  CHECK(fast.session.waits_for_journal(fast.journal.durable()));
  CHECK(reason_of(fast) == "none");
  fast.journal.sync();
  CHECK(fast.session.wants_client());
  CHECK(fast.session.wants_upstream());
}
