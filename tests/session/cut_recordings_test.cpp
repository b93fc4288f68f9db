// Real streams, cut at every event: the client then gets the events that the provider itself sent
// later.
#include <map>
#include <set>

#include "session/protocol/recording.hpp"
#include "tests/session/files.hpp"
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;

namespace {

/// Checks the events that a client got: no part of an answer stays open, nothing ends twice, and no
/// id occurs twice.
struct Ledger {
  std::map<std::string, int> begun;
  std::map<std::string, int> ended;
  std::set<std::string> ids;

  void hear(const Json& event) {
    const std::string type = event["type"];
    if (event.contains("event_id")) REQUIRE(ids.insert(event["event_id"]).second);
    const auto of = [&event](const char* what) {
      return event.contains(what) && event[what].is_string() ? event[what].get<std::string>()
                                                             : std::string();
    };
    const std::string part = of("item_id") + '#' + event.value("content_index", Json(0)).dump();
    if (type == "response.created") begun["response " + event["response"]["id"].dump()]++;
    if (type == "response.done") ended["response " + event["response"]["id"].dump()]++;
    if (type == "response.output_item.added") begun["item " + event["item"]["id"].dump()]++;
    if (type == "response.output_item.done") ended["item " + event["item"]["id"].dump()]++;
    if (type == "response.content_part.added") begun["part " + part]++;
    if (type == "response.content_part.done") ended["part " + part]++;
    if (type == "response.output_audio_transcript.delta") begun["spoken " + part] = 1;
    if (type == "response.output_audio_transcript.done") ended["spoken " + part]++;
    if (type == "response.output_text.delta") begun["written " + part] = 1;
    if (type == "response.output_text.done") ended["written " + part]++;
    if (type == "response.function_call_arguments.delta") begun["call " + of("item_id")] = 1;
    if (type == "response.function_call_arguments.done") ended["call " + of("item_id")]++;
    if (type == "conversation.item.added" && event["item"].value("status", "") == "in_progress")
      begun["in conversation " + event["item"]["id"].dump()]++;
    if (type == "conversation.item.done" &&
        begun.contains("in conversation " + event["item"]["id"].dump()))
      ended["in conversation " + event["item"]["id"].dump()]++;
  }
  void check() const {
    for (const auto& [what, count] : begun) {
      CAPTURE(what);
      CHECK(ended.contains(what));
    }
    for (const auto& [what, count] : ended) {
      CAPTURE(what);
      CHECK(count == 1);
    }
  }
};

/// An event that ends something, with the id of what it ends.
std::string end_named(const Json& event) {
  static const std::set<std::string> ends = {"response.output_audio.done",
                                             "response.output_audio_transcript.done",
                                             "response.output_text.done",
                                             "response.content_part.done",
                                             "response.function_call_arguments.done",
                                             "conversation.item.done",
                                             "response.output_item.done",
                                             "response.done"};
  const std::string type = event["type"];
  if (!ends.contains(type)) return {};
  std::string named = type + ' ';
  if (event.contains("item_id")) named += event["item_id"].get<std::string>();
  if (event.contains("item")) named += event["item"]["id"].get<std::string>();
  if (event.contains("response")) named += event["response"]["id"].get<std::string>();
  return named;
}

/// The answers in progress after these events.
std::set<std::string> running_after(const std::vector<Json>& said) {
  std::set<std::string> open;
  for (const Json& event : said) {
    if (event["type"] == "response.created") open.insert(event["response"]["id"]);
    if (event["type"] == "response.done") open.erase(event["response"]["id"]);
  }
  return open;
}

/// The events after the cut by which the provider itself ended what it had announced before.
std::vector<std::string> ends_in_the_stream(const std::vector<Json>& said, std::size_t cut) {
  std::set<std::string> announced;
  std::set<std::string> in_parts;
  std::set<std::string> placed;
  for (std::size_t i = 0; i < cut; ++i) {
    const Json& event = said[i];
    const std::string type = event["type"];
    if (type == "response.created") announced.insert(event["response"]["id"]);
    if (type == "response.output_item.added") announced.insert(event["item"]["id"]);
    if (type == "conversation.item.added") placed.insert(event["item"]["id"]);
    if (type == "response.content_part.added" || type.ends_with("transcript.delta") ||
        type.ends_with("text.delta") || type.ends_with("audio.delta"))
      in_parts.insert(event["item_id"]);
  }
  std::vector<std::string> ends;
  for (std::size_t i = cut; i < said.size(); ++i) {
    const Json& event = said[i];
    const std::string named = end_named(event);
    const std::string id = named.substr(named.find(' ') + 1);
    const bool of_part = event.contains("content_index");
    const bool in_conversation = event["type"] == "conversation.item.done";
    if (named.empty() || !announced.contains(id) || (of_part && !in_parts.contains(id)) ||
        (in_conversation && !placed.contains(id)))
      continue;
    ends.push_back(named);
    if (event["type"] == "response.done") break;
  }
  return ends;
}

void cut_before(const std::vector<Json>& said, std::size_t cut) {
  Stage stage(with_reconnect());
  stage.session.upstream_opened(stage.dial(), stage.clock);
  for (std::size_t i = 0; i < cut; ++i) stage.provider(said[i].dump());
  stage.journal.sync();
  Ledger ledger;
  for (const auto& message : stage.drain_client()) ledger.hear(Json::parse(message));
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.journal.sync();
  std::vector<std::string> ends;
  for (const auto& message : stage.drain_client()) {
    ledger.hear(Json::parse(message));
    ends.push_back(end_named(Json::parse(message)));
  }
  ledger.check();
  CHECK(ends == ends_in_the_stream(said, cut));
}

}  // namespace

TEST_CASE("cut at any event, every real stream's answer ends as that provider ended it",
          "[P8][P9][reconnect][cut]") {
  std::size_t cuts = 0;
  for (const auto& file : recordings()) {
    if (!file.filename().string().starts_with("ga-")) continue;  // the others were made by hand
    std::vector<Json> said;
    for (const auto& event : read_recording(read_file(file)).events)
      if (event.direction == Direction::to_client) said.push_back(Json::parse(event.event));
    for (std::size_t cut = 1; cut < said.size(); ++cut) {
      const std::vector<Json> before(said.begin(), said.begin() + static_cast<std::ptrdiff_t>(cut));
      if (running_after(before).size() != 1) continue;
      INFO(file << ", cut before event " << cut);
      cut_before(said, cut);
      ++cuts;
    }
  }
  CHECK(cuts > 100);
}
