// Properties of any stream, checked on every recording and on generated conversations.
#include <catch2/catch.hpp>
#include <unordered_set>

#include "session/protocol/openai/event_reader.hpp"
#include "session/protocol/replay.hpp"
#include "tests/session/files.hpp"
#include "tests/session/generated.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

std::vector<Event> events_of(const std::filesystem::path& file) {
  std::vector<Event> events;
  for (const auto& recorded : read_recording(read_file(file)).events) {
    auto event = recorded.direction == Direction::to_client ? read_server_event(recorded.event)
                                                            : read_client_event(recorded.event);
    if (event) events.push_back(std::move(*event));
  }
  return events;
}

/// Without the clock: what a repeated event must not change.
FinalTranscript fold(const std::vector<Event>& events) {
  Transcript transcript;
  for (const Event& event : events) transcript.apply(event, 0);
  return finalise(transcript, 0);
}

void require_same(const FinalTranscript& one, const FinalTranscript& other) {
  REQUIRE(one.turns == other.turns);
  REQUIRE(one.gaps == other.gaps);
  REQUIRE(one.tool_calls == other.tool_calls);
  REQUIRE(one.complete == other.complete);
  REQUIRE(one.usage_json == other.usage_json);
}

std::vector<std::string> ids_of(const Transcript& transcript) {
  std::vector<std::string> ids;
  for (const Turn& turn : transcript.turns()) ids.push_back(turn.item_id);
  return ids;
}

}  // namespace

TEST_CASE("a repeated event changes nothing, wherever it is repeated", "[P3][property][rule3]") {
  for (const auto& file : recordings()) {
    const auto events = events_of(file);
    const auto expected = fold(events);
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      INFO(file.stem().string() << ", seed " << seed);
      Random random(seed);
      auto repeated = events;
      for (int times = 0; times < 4; ++times) {
        const std::size_t from = random.below(repeated.size());
        const std::size_t to = from + 1 + random.below(repeated.size() - from);
        const Event copy = repeated[from];
        const auto opens = [](const Event& event) {
          return std::holds_alternative<UpstreamOpened>(event.body);
        };
        // Ids are valid for one connection; an event without one cannot be recognised.
        const bool crosses = std::any_of(repeated.begin() + static_cast<std::ptrdiff_t>(from) + 1,
                                         repeated.begin() + static_cast<std::ptrdiff_t>(to), opens);
        if (copy.id.empty() || crosses) continue;
        repeated.insert(repeated.begin() + static_cast<std::ptrdiff_t>(to), copy);
      }
      require_same(fold(repeated), expected);
    }
  }
}

TEST_CASE("a part's text only grows while a stream grows, until its final text replaces it",
          "[P1][P3][property]") {
  for (const auto& file : recordings()) {
    INFO(file.stem().string());
    Transcript transcript;
    std::vector<Turn> turns;
    std::vector<Item> items;
    for (const Event& event : events_of(file)) {
      transcript.apply(event, 0);
      for (const Turn& old : turns) {
        const auto turn = transcript.turn(old.item_id);
        REQUIRE(turn);  // a turn never disappears
        REQUIRE((old.text.empty() || !turn->text.empty()));
      }
      for (const Item& old : items) {
        for (const Part& part : old.parts) {
          const auto now = transcript.item(old.id)->parts;
          const auto same = std::find_if(now.begin(), now.end(), [&part](const Part& candidate) {
            return candidate.content_index == part.content_index;
          });
          REQUIRE(same != now.end());
          if (std::holds_alternative<TextDone>(event.body)) continue;
          // Half a pair at the end may have been completed.
          std::string kept = part.text.wtf8();
          if (part.text.utf8() != kept) kept.resize(kept.size() - 3);
          REQUIRE(same->text.wtf8().starts_with(kept));
        }
      }
      turns = transcript.turns();
      items.clear();
      for (const Turn& turn : turns) items.push_back(*transcript.item(turn.item_id));
    }
  }
}

TEST_CASE("unknown events change nothing, wherever they come", "[P9][property][rule11]") {
  static const char* unknown[] = {
      R"({"type":"vendor.future_event","item_id":"item_u1","delta":"must not leak"})",
      R"({"type":"rate_limits.updated","event_id":"event_syn0003","rate_limits":[]})",
      R"({"type":"response.output_text.annotation.added","item_id":"item_a1","delta":"x"})",
      R"({"type":"response.web_search_call.searching","item_id":"item_f1","delta":"{}"})",
      R"({"no_type":true})",
      ""};
  for (const auto& file : recordings()) {
    const auto recording = read_recording(read_file(file));
    const auto expected = render(replay(recording), Format::json);
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      INFO(file.stem().string() << ", seed " << seed);
      Random random(seed);
      auto noisy = recording;
      for (int times = 0; times < 6; ++times) {
        const auto at = static_cast<std::ptrdiff_t>(random.below(noisy.events.size() + 1));
        noisy.events.insert(noisy.events.begin() + at, {std::nullopt, Direction::to_client,
                                                        unknown[random.below(std::size(unknown))]});
      }
      REQUIRE(render(replay(noisy), Format::json) == expected);
    }
  }
}

TEST_CASE("any cut of a stream leaves whole turns and honest gaps", "[P2][P13][property]") {
  for (const auto& file : recordings()) {
    const auto events = events_of(file);
    for (std::size_t cut = 0; cut <= events.size(); cut += 1 + cut / 40) {
      INFO(file.stem().string() << ", cut at " << cut);
      Transcript transcript;
      for (std::size_t i = 0; i < cut; ++i) transcript.apply(events[i], 0);
      const auto live = transcript.turns();
      auto last = finalise(transcript, 0);
      // Text that a client typed and the provider has not acknowledged becomes a turn at the end.
      const auto acknowledged = [&last](const Turn& turn) {
        return std::find(last.gaps.begin(), last.gaps.end(),
                         Gap{turn.item_id, GapKind::unacknowledged_item}) == last.gaps.end();
      };
      for (const Turn& turn : last.turns) REQUIRE(turn.status != TurnStatus::in_progress);
      last.turns.erase(std::stable_partition(last.turns.begin(), last.turns.end(), acknowledged),
                       last.turns.end());
      REQUIRE(last.turns.size() == live.size());
      for (std::size_t i = 0; i < live.size(); ++i) REQUIRE(last.turns[i].text == live[i].text);
    }
  }
}

TEST_CASE("any events at all leave one turn an item, in a stable order, all of them closed",
          "[P4][P11][property]") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    Stream stream;
    for (std::size_t n = random.below(60); n > 0; --n) {
      const auto before = stream.transcript.turns();
      const auto applied = stream.apply(generated(random));
      // Exactly the changed turns differ.
      for (const Turn& old : before) {
        const auto turn = stream.transcript.turn(old.item_id);
        const bool changed = std::find(applied.changed.begin(), applied.changed.end(),
                                       old.item_id) != applied.changed.end();
        const bool same =
            turn && turn->text == old.text && turn->status == old.status &&
            turn->deleted == old.deleted && turn->role == old.role &&
            (!turn->heard || (old.heard && turn->heard->audio_ms == old.heard->audio_ms));
        REQUIRE((changed || same));
      }
    }
    const auto ids = ids_of(stream.transcript);
    REQUIRE(std::unordered_set<std::string>(ids.begin(), ids.end()).size() == ids.size());
    const auto last = stream.end();
    auto ids_at_end = ids_of(stream.transcript);
    for (const Gap& gap : last.gaps)
      if (gap.kind == GapKind::unacknowledged_item &&
          std::find(ids.begin(), ids.end(), gap.item_id) == ids.end())
        ids_at_end.erase(std::remove(ids_at_end.begin(), ids_at_end.end(), gap.item_id),
                         ids_at_end.end());
    REQUIRE(ids_at_end == ids);
    for (const Turn& turn : last.turns) {
      REQUIRE(turn.status != TurnStatus::in_progress);
      REQUIRE(turn.ended_at);
      if (turn.heard && turn.heard->text)
        REQUIRE(turn.text.wtf8().starts_with(turn.heard->text->wtf8()));
    }
    if (last.complete) REQUIRE(last.gaps.empty());
  }
}

TEST_CASE("a stream without its audio gives the same transcript, except for heard text",
          "[P7][property]") {
  for (const auto& file : recordings()) {
    INFO(file.stem().string());
    const auto events = events_of(file);
    // As in the journal: no audio, and a truncation carries the sum.
    Transcript live;
    Transcript recovered;
    for (Event event : events) {
      if (auto* cut = std::get_if<ItemTruncated>(&event.body))
        cut->audio_sent_ms = live.audio_sent_ms(cut->item_id, cut->content_index);
      live.apply(event, 0);
      if (!std::holds_alternative<AudioDelta>(event.body)) recovered.apply(event, 0);
    }
    require_same(finalise(live, 0), finalise(recovered, 0));
  }
}

TEST_CASE("an event of a long conversation costs no more than one of a short conversation",
          "[P11][property]") {
  // Counted, not timed: an event changes one item, and the order of thousands stays right.
  Stream stream;
  std::string previous;
  for (int i = 0; i < 5000; ++i) {
    const std::string id = "item_" + std::to_string(i);
    REQUIRE(stream.apply(added(typed(id, std::to_string(i)), previous)).changed.size() == 1);
    previous = id;
  }
  const auto turns = stream.transcript.turns();
  REQUIRE(turns.size() == 5000);
  for (int i = 0; i < 5000; ++i) REQUIRE(turns[static_cast<std::size_t>(i)].ordinal == i + 1);
  REQUIRE(turns.back().item_id == "item_4999");
}
