// A new upstream connection gets the conversation's items as they came (P8).
#include <set>

#include "tests/session/rebuild.hpp"
#include "tests/support/memory_spill.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

std::shared_ptr<MemorySpill::Control> add_spill(Stage& stage) {
  auto control = std::make_shared<MemorySpill::Control>();
  stage.session.spill_to(std::make_unique<MemorySpill>(control), 16);
  return control;
}

Json message_item(const std::string& id, const std::string& role, Json content, Json more = {}) {
  Json item = {{"id", id}, {"type", "message"}, {"role", role}, {"content", std::move(content)}};
  if (more.is_object()) item.update(more);
  return item;
}

Json text_part(const std::string& text) { return {{"type", "input_text"}, {"text", text}}; }

Json image_part(std::size_t bytes) {
  return {{"type", "input_image"},
          {"image_url", "data:image/jpeg;base64," + std::string(bytes, 'A')},
          {"detail", "high"}};
}

/// The client requests an item and the provider places it: as `echo`, or as it was requested.
void client_creates(Stage& stage, const Json& item, Json echo = {}) {
  stage.client(Json{{"type", "conversation.item.create"}, {"item", item}}.dump());
  stage.journal.sync();
  stage.drain_upstream();
  static int n = 0;
  if (echo.is_null()) echo = item;
  echo["status"] = "completed";
  echo["object"] = "realtime.item";
  Json placed = Json::parse(added(echo, nullptr, "p" + std::to_string(++n)));
  placed.erase("previous_item_id");
  stage.provider(placed.dump());
  placed["type"] = "conversation.item.done";
  placed["event_id"] = "d" + std::to_string(n);
  stage.provider(placed.dump());
  stage.journal.sync();
  stage.drain_client();
}

/// The provider makes an item itself: added while in progress, then done.
void provider_makes(Stage& stage, const Json& item, Json begun = {}) {
  static int n = 0;
  const auto say = [&stage](const char* type, const Json& what, const char* status) {
    Json whole = what;
    whole["status"] = status;
    stage.provider(
        Json{{"type", type}, {"event_id", "m" + std::to_string(++n)}, {"item", whole}}.dump());
  };
  if (begun.is_null()) begun = item;
  say("conversation.item.added", begun, "in_progress");
  say("conversation.item.done", item, "completed");
  stage.journal.sync();
  stage.drain_client();
}

enum class Cause { loss, rotation, handover };

/// All items that the next connection gets after this change, by id, in order.
std::vector<Json> given_after(Cause change, Stage& stage) {
  std::vector<Json> items;
  const auto take = [&items](Stage& on) {
    on.session.upstream_opened(on.dial(), on.clock);
    on.provider(created("sess_2"));
    for (bool more = true; more;) {
      on.journal.sync();
      more = false;
      for (const std::string& bytes : on.drain_upstream()) {
        more = true;
        const Json event = Json::parse(bytes);
        if (event["type"] == "session.update") on.provider(updated_with_transcription);
        if (event["type"] != "conversation.item.create") continue;
        items.push_back(event["item"]);
        on.provider(added(event["item"], nullptr, "echo_" + std::to_string(items.size())));
      }
    }
  };
  if (change == Cause::loss) {
    stage.session.upstream_gone(stage.upstream, lost, stage.clock);
    stage.pass(10'000);
    take(stage);
    CHECK(stage.session.counts().reconnected == 1);
  } else if (change == Cause::rotation) {
    stage.pass(56 * 60'000);
    take(stage);
    CHECK(stage.session.counts().rotated == 1);
  } else {
    stage.session.suspend("restart", stage.clock);
    Transcript folded;
    folded.spill_to(std::make_unique<MemorySpill>(std::make_shared<MemorySpill::Control>()), 16);
    for (const auto& row : stage.journal.rows) folded.apply(row.event, row.at);
    SessionOptions options = with_reconnect();
    options.resume_window_ms = 30'000;
    Stage second(options);
    second.session.take_up(std::move(folded),
                           SessionSettings::from_json(stage.journal.handovers[0].settings_json),
                           second.clock);
    second.session.client_returned({}, second.clock);
    take(second);
    CHECK(second.session.counts().reconnected == 1);
  }
  return items;
}

SessionOptions that_goes_on() {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  options.rotate_after_ms = 55 * 60'000;
  options.max_duration_ms = 10 * 3'600'000;
  options.idle_timeout_ms = 10 * 3'600'000;
  return options;
}

std::size_t bytes_of_details(const MemoryJournal& journal) {
  std::size_t bytes = 0;
  for (const auto& row : journal.rows) {
    Event event = row.event;
    for_each_item(event, [&bytes](const Item& item) { bytes += item.detail.size(); });
  }
  return bytes;
}

}  // namespace

TEST_CASE("an item that a client made is sent again as it came, with any content",
          "[P8][rebuild]") {
  const Json items = {
      message_item("plain", "user", Json::array({text_part("Hi.")})),
      message_item("photo", "user", Json::array({text_part("What is this?"), image_part(300)})),
      message_item("only_photo", "user", Json::array({image_part(20'000)})),
      message_item("between", "user",
                   Json::array({text_part("Left"), image_part(10), text_part("or right?")})),
      message_item("parts", "user",
                   Json::array({text_part("One."), text_part("Two."), text_part("Three.")})),
      message_item("named", "user", Json::array({text_part("I am Ann.")}), {{"name", "Ann"}}),
      message_item("noted", "system", Json::array({text_part("Be brief.")}),
                   {{"metadata", {{"topic", "tides"}, {"n", 3}}}}),
      message_item(
          "unknown", "user",
          Json::array({{{"type", "input_file"}, {"file_id", "file_1"}}, text_part("Read it.")}),
          {{"vendor", Json::array({1, nullptr, "x"})}}),
      message_item("marked", "user",
                   Json::array({{{"type", "input_text"},
                                 {"text", "See this."},
                                 {"cache_control", {{"type", "ephemeral"}}}}})),
      message_item("mine \"odd\" \\ \xF0\x9F\x8C\x8A", "user",
                   Json::array({text_part("odd id"), image_part(1)})),
      {{"id", "called"},
       {"type", "function_call_output"},
       {"call_id", "call_1"},
       {"output", "{\"tide\":\"low\"}"},
       {"note", "kept"}},
      {{"id", "approved"},
       {"type", "mcp_approval_response"},
       {"approval_request_id", "mcpr_1"},
       {"approve", true}},
  };
  const auto change = GENERATE(Cause::loss, Cause::rotation, Cause::handover);
  CAPTURE(static_cast<int>(change));
  Stage stage(that_goes_on());
  add_spill(stage);
  stage.open();
  for (const Json& item : items) client_creates(stage, item);
  const auto given = given_after(change, stage);
  REQUIRE(given.size() == items.size());
  for (std::size_t i = 0; i < items.size(); ++i) CHECK(given[i] == items[i]);
}

TEST_CASE("an item that the provider made is sent again as it came, without its audio",
          "[P8][rebuild]") {
  const Json call = {{"id", "mcp_1"},
                     {"type", "mcp_call"},
                     {"name", "find"},
                     {"server_label", "handbook"},
                     {"arguments", "{\"q\":\"leave\"}"},
                     {"output", "Thirty days."},
                     {"approval_request_id", "mcpr_1"}};
  Json begun = call;
  begun["arguments"] = "";
  begun.erase("output");
  const auto change = GENERATE(Cause::loss, Cause::rotation, Cause::handover);
  CAPTURE(static_cast<int>(change));
  Stage stage(that_goes_on());
  add_spill(stage);
  stage.open();
  provider_makes(stage, {{"id", "mcpl_1"},
                         {"type", "mcp_list_tools"},
                         {"server_label", "handbook"},
                         {"tools", Json::array({{{"name", "find"}}})}});
  provider_makes(stage, call, begun);
  Json answer = message_item("a1", "assistant",
                             Json::array({{{"type", "output_audio"}, {"transcript", "Thirty."}}}),
                             {{"phase", "final_answer"}});
  Json with_audio = answer;
  with_audio["content"][0]["audio"] = "UklGRg==";
  provider_makes(stage, with_audio,
                 message_item("a1", "assistant", Json::array(), {{"phase", "final_answer"}}));
  provider_makes(stage,
                 message_item("a2", "assistant",
                              Json::array({{{"type", "output_text"},
                                            {"text", "See page 4."},
                                            {"annotations", Json::array({{{"page", 4}}})}}})));
  const auto given = given_after(change, stage);
  REQUIRE(given.size() == 4);
  CHECK(given[0]["tools"][0]["name"] == "find");
  CHECK(given[1] == call);
  answer["content"] = Json::array({{{"type", "output_text"}, {"text", "Thirty."}}});
  CHECK(given[2] == answer);
  CHECK(given[3]["content"][0]["annotations"][0]["page"] == 4);
  CHECK(given[3]["content"][0]["text"] == "See page 4.");
  CHECK(stage.session.last_rebuild().whole());
}

TEST_CASE("speech beside an image is sent again as text, and never as audio", "[P8][rebuild]") {
  Stage stage(that_goes_on());
  stage.open();
  Json said = message_item(
      "u1", "user", Json::array({{{"type", "input_audio"}, {"audio", "UklGRg=="}}, image_part(5)}));
  stage.provider(added(said, nullptr, "s1"));
  stage.provider(R"({"type":"conversation.item.input_audio_transcription.completed",)"
                 R"("event_id":"s2","item_id":"u1","content_index":0,"transcript":"Who is it?"})");
  const auto given = given_after(Cause::loss, stage);
  REQUIRE(given.size() == 1);
  CHECK(given[0]["content"] == Json::array({text_part("Who is it?"), image_part(5)}));
  CHECK(bytes_of_details(stage.journal) < 400);
}

TEST_CASE("the client's own item counts, not the provider's echo", "[P8][rebuild]") {
  const bool named = GENERATE(true, false);
  Stage stage(that_goes_on());
  stage.open();
  Json asked = message_item("photo", "user", Json::array({text_part("This?"), image_part(50)}));
  Json echo = asked;
  echo["content"][1] = {{"type", "input_image"}};  // some servers do not send images back
  if (!named) asked.erase("id");
  client_creates(stage, asked, echo);
  const auto given = given_after(Cause::loss, stage);
  REQUIRE(given.size() == 1);
  asked["id"] = "photo";
  CHECK(given[0] == asked);
}

TEST_CASE("the common messages put nothing more into the journal", "[P8][P12][rebuild]") {
  Stage stage(that_goes_on());
  stage.open();
  converse(stage);
  finish_answer(stage);
  client_creates(stage,
                 message_item("u1", "user", Json::array({text_part("One."), text_part("Two.")})));
  stage.provider(speech_started);
  stage.provider(speech_committed);
  stage.provider(added(
      message_item("u1", "user", Json::array({{{"type", "input_audio"}, {"transcript", nullptr}}})),
      nullptr, "s1"));
  stage.provider(transcribed);
  CHECK(bytes_of_details(stage.journal) == 0);
}

TEST_CASE("a large item is on disk once and in the journal once, however often events repeat it",
          "[P8][P11][rebuild]") {
  constexpr std::size_t size = 1'000'000;
  Stage stage(that_goes_on());
  const auto spill = add_spill(stage);
  stage.open();
  client_creates(stage, message_item("photo", "user", Json::array({image_part(size)})));
  client_creates(stage,
                 message_item("more", "user", Json::array({text_part("?"), image_part(size)})));
  const Json output = {{"id", "output"},
                       {"type", "function_call_output"},
                       {"call_id", "call_1"},
                       {"output", std::string(size, 'o')}};
  client_creates(stage, output);
  std::size_t laid_down = 0;
  for (const std::string& record : spill->records) laid_down += record.size();
  CHECK(laid_down > 3 * size);
  CHECK(laid_down < 5 * size);  // a tool output also as requested, before the provider had it
  // As requested; a tool item also as placed, with its status.
  CHECK(bytes_of_details(stage.journal) < 4 * size + 10'000);

  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.pass(10'000);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created("sess_2"));
  stage.journal.sync();
  int n = 0;
  for (const Outbox* box = stage.session.outbox_of(stage.upstream); box != nullptr && !box->empty();
       box = stage.session.outbox_of(stage.upstream)) {
    CHECK(box->bytes() < size + 10'000);  // one at a time
    const Json event = Json::parse(stage.session.take_for(stage.upstream)->bytes);
    if (event["type"] == "session.update") stage.provider(updated_with_transcription);
    if (event["type"] == "conversation.item.create")
      stage.provider(added(event["item"], nullptr, "echo_" + std::to_string(++n)));
    stage.journal.sync();
  }
  CHECK(n == 3);
  CHECK(stage.session.counts().reconnected == 1);
  CHECK(stage.session.last_rebuild().whole());
}

TEST_CASE("an item over the size limit is left out, and this is reported", "[P8][P11][rebuild]") {
  const auto change = GENERATE(Cause::loss, Cause::handover);
  SessionOptions options = that_goes_on();
  options.item_bytes_max = 10'000;
  Stage stage(options, /*extension_events=*/true);
  add_spill(stage);
  stage.open();
  client_creates(stage, message_item("before", "user", Json::array({text_part("Look.")})));
  client_creates(stage,
                 message_item("huge", "user", Json::array({text_part("!"), image_part(10'000)})));
  client_creates(stage, message_item("fits", "user", Json::array({image_part(9'000)})));
  CHECK(bytes_of_details(stage.journal) < 11'000);
  const auto given = given_after(change, stage);
  REQUIRE(given.size() == 2);
  CHECK(given[0]["id"] == "before");
  CHECK(given[1]["id"] == "fits");
  if (change != Cause::loss) return;
  CHECK(stage.session.last_rebuild().left_out ==
        std::vector<Rebuild::Missing>{{"huge", "too_large"}});
  stage.journal.sync();
  const Json received = Json::parse(stage.drain_client().back());
  CHECK(received["type"] == "verbatim.upstream");
  CHECK(received["state"] == "restored");
  CHECK(received["left_out"] == Json::parse(R"([{"item_id":"huge","why":"too_large"}])"));
  CHECK(received["refused"] == Json::array());
}

TEST_CASE("an item that cannot be read back is left out, and the conversation goes on",
          "[P8][rebuild]") {
  Stage stage(that_goes_on());
  const auto spill = add_spill(stage);
  stage.open();
  client_creates(stage, message_item("photo", "user", Json::array({image_part(10'000)})));
  client_creates(stage, message_item("text", "user", Json::array({text_part("Hi.")})));
  spill->fails = true;
  const auto given = given_after(Cause::loss, stage);
  REQUIRE(given.size() == 1);
  CHECK(given[0]["id"] == "text");
  CHECK(stage.session.last_rebuild().left_out ==
        std::vector<Rebuild::Missing>{{"photo", "not_kept"}});
}

TEST_CASE("an image that comes while the journal is crowded ends no conversation",
          "[P6][P8][rebuild]") {
  Stage stage(that_goes_on());
  add_spill(stage);
  stage.open();
  stage.journal.crowd = true;
  client_creates(stage, message_item("photo", "user", Json::array({image_part(100'000)})));
  client_creates(stage, message_item("small", "user", Json::array({image_part(10'000)})));
  stage.journal.crowd = false;
  CHECK_FALSE(stage.session.ended());
  const auto given = given_after(Cause::loss, stage);
  REQUIRE(given.size() == 1);
  CHECK(given[0]["id"] == "small");
  CHECK(stage.session.last_rebuild().left_out ==
        std::vector<Rebuild::Missing>{{"photo", "not_kept"}});
}

TEST_CASE("incomplete calls and items without content are left out", "[P8][rebuild]") {
  Stage stage(that_goes_on());
  stage.open();
  stage.provider(speech_started);
  stage.provider(speech_committed);
  stage.provider(R"({"type":"conversation.item.input_audio_transcription.failed","event_id":"s1",)"
                 R"("item_id":"u1","content_index":0,"error":{"code":"audio_unintelligible"}})");
  stage.provider(R"({"type":"response.created","event_id":"c2","response":{"id":"r1"}})");
  stage.provider(added({{"id", "call"},
                        {"type", "function_call"},
                        {"status", "in_progress"},
                        {"name", "f"},
                        {"call_id", "call_1"},
                        {"arguments", ""}},
                       "u1", "c3"));
  const auto given = given_after(Cause::loss, stage);
  CHECK(given.empty());
  CHECK(stage.session.last_rebuild().left_out ==
        std::vector<Rebuild::Missing>{{"u1", "no_text"}, {"call", "unfinished"}});
  CHECK(stage.session.counts().items_left_out == 2);
}

TEST_CASE("an item in progress while a new connection is prepared is sent when it is complete",
          "[P8][rotation][rebuild]") {
  Stage stage(that_goes_on());
  stage.open();
  stage.provider(added(typed_message("u0", "Hi."), nullptr, "c0"));
  stage.pass(56 * 60'000);
  const UpstreamId old = stage.upstream;
  stage.session.upstream_opened(stage.dial(), stage.clock);
  const UpstreamId next = stage.upstream;
  stage.upstream = old;
  stage.provider(R"({"type":"response.created","event_id":"c2","response":{"id":"r1"}})");
  stage.provider(added(message_item("a1", "assistant", Json::array(), {{"status", "in_progress"}}),
                       "u0", "c4"));
  stage.provider(first_delta);
  stage.said_by(next, created("sess_2"));
  stage.upstream = next;
  stage.journal.sync();
  accept_rebuild(stage);
  stage.upstream = old;
  stage.provider(
      R"({"type":"response.output_audio_transcript.done","event_id":"f1","response_id":"r1",)"
      R"("item_id":"a1","output_index":0,"content_index":0,"transcript":"Hello over there"})");
  stage.provider(R"({"type":"response.done","event_id":"f3","response":{"id":"r1",)"
                 R"("status":"completed","output":[]}})");
  stage.journal.sync();
  stage.upstream = next;
  const auto sent = stage.drain_upstream();
  REQUIRE(sent.size() == 1);
  CHECK(Json::parse(sent[0])["item"]["content"][0]["text"] == "Hello over there");
}

TEST_CASE("a client that comes back is shown its items with their images", "[P8][rebuild]") {
  Stage stage(that_goes_on());
  add_spill(stage);
  stage.open();
  const Json photo = message_item("photo", "user", Json::array({text_part("?"), image_part(8000)}),
                                  {{"name", "Ann"}});
  client_creates(stage, photo);
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({}, stage.clock);
  stage.journal.sync();
  stage.pass(200);
  Json shown;
  for (const std::string& bytes : stage.drain_client())
    if (const Json event = Json::parse(bytes); event["type"] == "conversation.item.added")
      shown = event["item"];
  CHECK(shown["content"] == photo["content"]);
  CHECK(shown["name"] == "Ann");
  CHECK(shown["status"] == "completed");
}
