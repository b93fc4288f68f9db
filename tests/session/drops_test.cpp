// An hour of a conversation whose connections are cut all the time, on both sides, in simulated
// time (P8). Every seed is another hour; a failing seed is printed and can be run alone.
#include <deque>
#include <map>
#include <random>
#include <set>

#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"
#include "tests/support/rounds.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;
using verbatim::test::rounds;

namespace {

/// A provider that, like the real one, has a conversation for each connection.
class SimulatedProvider {
 public:
  SimulatedProvider(Stage& stage, std::mt19937& random) : stage_(stage), random_(random) {}

  void open(UpstreamId upstream) {
    upstream_ = upstream;
    items_.clear();
    answer_.clear();
    const bool first = expected.empty();
    const Json created = event("session.created", {{"session", session()}});
    report(created, first);
  }
  void lost() { upstream_ = 0; }
  UpstreamId upstream() const { return upstream_; }
  bool answering() const { return !answer_.empty(); }

  void hear(const std::string& message) {
    const Json said = Json::parse(message);
    const bool rebuilding = said.value("event_id", "").starts_with("verbatim_rebuild:");
    if (said["type"] == "session.update") {
      Json settings = session();
      settings["audio"]["input"] = {{"transcription", {{"model", "whisper-1"}}}};
      report(event("session.updated", {{"session", settings}}),
             said.value("event_id", "") != "verbatim_configure");
    } else if (said["type"] == "conversation.item.create") {
      Json item = said["item"];
      if (!item.contains("id")) item["id"] = "item_p" + std::to_string(++count_);
      place(item, rebuilding);
      if (!rebuilding) users.push_back({item["id"], item["content"][0]["text"]});
    } else if (said["type"] == "response.create" && answer_.empty()) {
      begin_answer();
    }
  }

  /// Adds one more word to the current answer.
  void go_on() {
    if (upstream_ == 0 || answer_.empty()) return;
    if (words_left_ > 0) {
      --words_left_;
      const std::string word = "w" + std::to_string(++count_) + " ";
      said_[answer_] += word;
      report(event("response.output_audio_transcript.delta", part({{"delta", word}})), true);
      return;
    }
    const std::string id = answer_;
    report(event("response.output_audio_transcript.done", part({{"transcript", said_[id]}})), true);
    Json item = answer_item("completed");
    item["content"] = Json::array({{{"type", "output_audio"}, {"transcript", said_[id]}}});
    report(event("response.output_item.done",
                 {{"response_id", "resp_" + id}, {"output_index", 0}, {"item", item}}),
           true);
    report(event("response.done", {{"response", {{"id", "resp_" + id}, {"status", "completed"}}}}),
           true);
    done.insert(id);
    answer_.clear();
  }

  std::vector<std::string> expected;  ///< events that the client must get, byte for byte
  std::vector<std::pair<std::string, std::string>> users;  ///< items it took, with their text
  std::set<std::string> done;                              ///< answers it has finished
  const std::map<std::string, std::string>& said() const { return said_; }

 private:
  static Json session() {
    return {{"type", "realtime"},
            {"id", "sess_p"},
            {"audio", {{"input", {{"transcription", {{"model", "whisper-1"}}}}}}}};
  }
  Json event(const char* type, Json members) {
    members["type"] = type;
    members["event_id"] = "event_" + std::to_string(++count_);
    return members;
  }
  Json part(Json members) const {
    members["response_id"] = "resp_" + answer_;
    members["item_id"] = answer_;
    members["output_index"] = 0;
    members["content_index"] = 0;
    return members;
  }
  Json answer_item(const char* status) const {
    return {{"id", answer_},
            {"type", "message"},
            {"role", "assistant"},
            {"status", status},
            {"content", Json::array()}};
  }
  void report(const Json& what, bool for_client) {
    if (for_client) expected.push_back(what.dump());
    stage_.said_by(upstream_, what.dump());
  }
  void place(const Json& item, bool rebuilding) {
    const Json previous = items_.empty() ? Json(nullptr) : Json(items_.back());
    items_.push_back(item["id"]);
    for (const char* type : {"conversation.item.added", "conversation.item.done"})
      report(event(type, {{"previous_item_id", previous}, {"item", item}}), !rebuilding);
  }
  void begin_answer() {
    answer_ = "item_a" + std::to_string(++count_);
    words_left_ = 1 + static_cast<int>(random_() % 6);
    report(event("response.created", {{"response", {{"id", "resp_" + answer_}}}}), true);
    report(event("response.output_item.added", {{"response_id", "resp_" + answer_},
                                                {"output_index", 0},
                                                {"item", answer_item("in_progress")}}),
           true);
    const Json previous = items_.empty() ? Json(nullptr) : Json(items_.back());
    items_.push_back(answer_);
    report(event("conversation.item.added",
                 {{"previous_item_id", previous}, {"item", answer_item("in_progress")}}),
           true);
  }

  Stage& stage_;
  std::mt19937& random_;
  UpstreamId upstream_ = 0;
  std::vector<std::string> items_;
  std::string answer_;
  int words_left_ = 0;
  int count_ = 0;
  std::map<std::string, std::string> said_;
};

struct Drops {
  int client = 0;
  int provider = 0;
};

/// An hour in steps of 200 ms; a quarter of it under a sanitizer.
Drops live_an_hour(unsigned seed, double client_drop, double provider_drop) {
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto chance = [&random](double p) {
    return std::uniform_real_distribution<>(0, 1)(random) < p;
  };
  SessionOptions options = usual_options();
  options.resume_window_ms = 30'000;
  options.reconnect = {20, 200, 2000, seed};
  options.rotate_after_ms = rounds(20) * 60'000;
  options.max_duration_ms = 3 * 3'600'000;
  options.idle_timeout_ms = 3'600'000;
  Stage stage(options);
  SimulatedProvider provider(stage, random);
  std::vector<std::string> received;
  std::set<std::string> asked;
  bool attached = true;
  Drops drops;
  int asks = 0;

  const auto read_some = [&](double share) {
    // The client reads part of what was sent; the rest is lost with its connection.
    for (const std::string& message : stage.drain_client())
      if (chance(share))
        received.push_back(message);
      else
        return false;
    return true;
  };
  const auto drop_client = [&] {
    ++drops.client;
    read_some(0.7);
    stage.session.client_gone({false, 0, "cut"}, stage.clock);
    attached = false;
  };
  const auto dial = [&] {
    if (const auto upstream = stage.session.take_dial(stage.clock)) {
      // The first connection attempt is not repeated.
      if (provider.upstream() == 0 && !provider.expected.empty() && chance(0.2)) {
        stage.session.upstream_unavailable(*upstream, CloseReason::upstream_lost, "away",
                                           stage.clock);
        return;
      }
      stage.session.upstream_opened(*upstream, stage.clock);
      if (provider.upstream() != 0) provider.lost();  // a rotation: the old connection is silent
      provider.open(stage.upstream = *upstream);
    }
  };
  const auto upwards = [&] {
    for (int again = 0; again < 8; ++again) {
      if (chance(0.9)) stage.journal.sync();
      const auto messages = stage.drain_upstream();
      if (messages.empty()) break;
      for (const std::string& message : messages) provider.hear(message);
    }
  };

  for (unsigned tick = 0; tick < rounds(3600 * 5); ++tick) {
    stage.pass(200);
    if (stage.session.ended())
      FAIL(to_string(stage.session.reason()) << " " << stage.session.why());
    dial();
    if (attached && chance(0.008) && !provider.answering()) {
      const std::string text = "question " + std::to_string(++asks);
      Json item = {{"type", "message"},
                   {"role", "user"},
                   {"content", Json::array({{{"type", "input_text"}, {"text", text}}})}};
      if (chance(0.5)) item["id"] = "mine_" + std::to_string(asks);
      asked.insert(text);
      stage.client(Json{{"type", "conversation.item.create"}, {"item", item}}.dump());
      stage.client(R"({"type":"response.create"})");
    }
    if (provider.upstream() != 0) upwards();
    provider.go_on();
    if (provider.upstream() != 0 && chance(provider_drop)) {
      ++drops.provider;
      const UpstreamId upstream = provider.upstream();
      provider.lost();
      stage.session.upstream_gone(upstream, {false, 0, "cut"}, stage.clock);
    }
    if (chance(0.9)) stage.journal.sync();
    if (attached && chance(client_drop)) {
      drop_client();
    } else if (attached) {
      if (!read_some(1.0)) FAIL("it reads all");
    } else if (chance(0.3)) {
      stage.session.client_returned({received.size(), false}, stage.clock);
      attached = true;
    }
  }
  // Open answers now end: no connection is cut any more.
  if (!attached) stage.session.client_returned({received.size(), false}, stage.clock);
  for (int tick = 0; tick < 200; ++tick) {
    stage.pass(200);
    if (const auto upstream = stage.session.take_dial(stage.clock)) {
      stage.session.upstream_opened(*upstream, stage.clock);
      provider.open(stage.upstream = *upstream);
    }
    stage.journal.sync();
    if (provider.upstream() != 0) {
      for (const std::string& message : stage.drain_upstream()) provider.hear(message);
      provider.go_on();
    }
    stage.journal.sync();
    for (const std::string& message : stage.drain_client()) received.push_back(message);
  }

  CHECK(stage.session.counts().resumed_with_snapshot == 0);
  std::vector<std::string> of_provider;
  std::set<std::string> own;
  for (const std::string& message : received) {
    const std::string id = Json::parse(message)["event_id"];
    if (!id.starts_with("verbatim_"))
      of_provider.push_back(message);
    else
      CHECK(own.insert(id).second);
  }
  CHECK(of_provider == provider.expected);

  stage.session.end(CloseReason::client_ended, "", stage.clock);
  REQUIRE(stage.journal.endings.size() == 1);
  std::set<std::string> ids;
  std::multiset<std::string> user_texts;
  for (const Turn& turn : stage.journal.endings[0].transcript.turns) {
    CHECK(ids.insert(turn.item_id).second);
    if (turn.role == Role::user) {
      user_texts.insert(turn.text.utf8());
      CHECK(turn.status == TurnStatus::completed);
      continue;
    }
    const auto said = provider.said().find(turn.item_id);
    CHECK(turn.text.utf8() == (said == provider.said().end() ? "" : said->second));
    CHECK(turn.status ==
          (provider.done.contains(turn.item_id) ? TurnStatus::completed : TurnStatus::interrupted));
  }
  CHECK(user_texts == std::multiset<std::string>(asked.begin(), asked.end()));
  return drops;
}

}  // namespace

TEST_CASE(
    "five hundred drops of the client and two hundred of the provider in an hour lose nothing",
    "[P1][P4][P8][drops]") {
  const Drops drops = live_an_hour(1, 0.045, 0.016);
  CHECK(drops.client >= static_cast<int>(rounds(500)));
  CHECK(drops.provider >= static_cast<int>(rounds(200)));
}

TEST_CASE("hours of all kinds lose nothing and repeat nothing", "[P8][drops]") {
  for (unsigned seed = 2; seed < 4; ++seed)
    live_an_hour(seed, seed % 3 * 0.02, seed % 2 * 0.02 + 0.002);
}
