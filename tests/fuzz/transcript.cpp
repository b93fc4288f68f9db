// Any sequence of events about a few items through three transcript engines: directly; through the
// journal's codec, as in a recovery; and with hardly anything in memory. The properties of
// docs/transcript-rules.md are checked after every event.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <unordered_set>

#include "session/transcript/transcript.hpp"
#include "storage/rows/event_codec.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/support/memory_spill.hpp"

using namespace verbatim;
using namespace verbatim::transcript;

namespace {

class Events {
 public:
  Events(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}

  bool more() { return bytes_.remaining_bytes() > 0; }

  Event next() {
    Event event;
    if (below(8) != 0) event.id = "event_" + std::to_string(below(200));
    event.body = body();
    return event;
  }

 private:
  int below(int end) { return bytes_.ConsumeIntegralInRange(0, end - 1); }
  bool flag() { return bytes_.ConsumeBool(); }
  std::string id() { return below(8) == 0 ? "" : "item_" + std::to_string(below(5)); }
  std::string response() { return below(8) == 0 ? "" : "resp_" + std::to_string(below(3)); }
  int part() { return below(8) == 0 ? bytes_.ConsumeIntegral<int>() : below(3); }
  std::int64_t ms() { return below(8) == 0 ? bytes_.ConsumeIntegral<std::int64_t>() : below(5000); }

  Text words() {
    static const char* const pieces[] = {
        "", "Hello", " there", "\xED\xA0\xBD", "\xED\xB8\x80", "\n", "\xF0\x9F\x98\x80", " "};
    Text made;
    for (int n = below(4); n > 0; --n) {
      made.append(Text::from_wtf8(pieces[below(static_cast<int>(std::size(pieces)))]));
    }
    return made;
  }

  /// A tool's item, as it may come: some of its members, in any state.
  std::string detail() {
    static const char* const pieces[] = {
        R"("type":"mcp_call")",
        R"("type":"mcp_approval_request")",
        R"("type":"mcp_approval_response","approve":true)",
        R"("call_id":"call_1")",
        R"("call_id":"call_2")",
        R"("arguments":"{}")",
        R"("arguments":"")",
        R"("output":"4")",
        R"("output":null)",
        R"("error":{"code":3})",
        R"("approval_request_id":"item_1")",
    };
    std::string made = R"({"name":"tool")";
    for (int n = below(5); n > 0; --n)
      made.append(",").append(pieces[below(static_cast<int>(std::size(pieces)))]);
    return made + "}";
  }

  Item item() {
    Item made;
    made.id = id();
    made.kind = below(4) == 0 ? static_cast<ItemKind>(below(4)) : ItemKind::message;
    made.role = static_cast<Role>(below(4));
    made.status = static_cast<ItemStatus>(below(4));
    if (made.kind != ItemKind::message && flag()) made.detail = detail();
    for (int n = below(3); n > 0; --n) made.parts.push_back({part(), words(), flag()});
    return made;
  }

  EventBody body() {
    switch (below(29)) {
      case 0:
        return UpstreamOpened{response(), ms(), flag(), below(3)};
      case 1:
        return SessionConfigured{flag(), below(3)};
      case 2:
        return ItemPlaced{item(), static_cast<Position>(below(3)), id(), flag()};
      case 3:
        return ItemSnapshot{item(), flag()};
      case 4:
        return OutputItem{response(), item(), flag()};
      case 5:
        return TextDelta{id(), response(), part(), flag(), words()};
      case 6:
        return TextDone{id(), response(), part(), flag(), words()};
      case 7:
        return PartSnapshot{id(), response(), part(), words()};
      case 8:
        return TranscriptionFailed{id(), part(), "why"};
      case 9:
        return AudioDelta{id(), part(), below(32 << 20)};  // counted, not journaled
      case 10:
        return SpeechStarted{id(), ms()};
      case 11:
        return SpeechStopped{id(), ms()};
      case 12:
        return BufferCleared{};
      case 13:
        return ResponseStarted{response(), flag()};
      case 14: {
        ResponseEnded ended;
        ended.response_id = response();
        ended.out_of_band = flag();
        ended.status = static_cast<ResponseStatus>(below(5));
        for (int n = below(3); n > 0; --n) ended.output.push_back(item());
        return ended;
      }
      case 15:
        return ItemTruncated{id(), part(), ms(), -1};
      case 16:
        return ItemDeleted{id()};
      case 17:
        return ProviderError{"type", "code", "c" + std::to_string(below(3))};
      case 18:
        return ItemRequested{"c" + std::to_string(below(3)), item()};
      case 19:
        return CancelRequested{response()};
      case 20:
        return UpstreamLost{"upstream_lost"};
      case 21:
        return AudioMetered{ms(), ms()};
      case 22:
        return TranscriptionUsage{id(), part(), R"({"total_tokens":1})"};
      case 23:
        return ToolArguments{id(), response(), response(), "tool", words(), flag(), flag()};
      case 24:
        return ToolProgress{id(), static_cast<ToolStatus>(below(4))};
      case 25:
        return AnswerAudio{id(), ms()};
      case 26:
        return SettingsChanged{id()};
      case 27:
        return AudioPlaced{AudioTrack::assistant, id(), ms(), ms(), ms(), {}};
      default:
        return FirstAudio{response(), ms()};
    }
  }

  FuzzedDataProvider bytes_;
};

void check_shape(const std::vector<Turn>& turns) {
  std::unordered_set<std::string> ids;
  for (const Turn& turn : turns) {
    demand(ids.insert(turn.item_id).second);
    demand(turn.ordinal == static_cast<int>(ids.size()));
    if (turn.heard && turn.heard->text)
      demand(turn.text.wtf8().starts_with(turn.heard->text->wtf8()));
  }
}

template <class... Bodies>
bool is_any(const Event& event) {
  return (std::holds_alternative<Bodies>(event.body) || ...);
}

/// The turn that was `old` before the event. If the event uses its id for another item, the old
/// turn goes on as ID@N.
std::optional<Turn> same_turn(const Turn& old, const std::vector<Turn>& before,
                              const Transcript& now) {
  for (const Turn& turn : now.turns()) {
    if (!turn.item_id.starts_with(old.item_id + "@")) continue;
    const auto is_this = [&turn](const Turn& other) { return other.item_id == turn.item_id; };
    if (std::none_of(before.begin(), before.end(), is_this)) return turn;
  }
  return now.turn(old.item_id);
}

/// Checks the changes that an event made: exactly the touched turns differ; text grows by deltas,
/// is replaced by final text, and is otherwise unchanged.
void check_step(const std::vector<Turn>& before, const Transcript& now, const Event& event,
                const Transcript::Applied& applied) {
  const bool may_replace =
      is_any<TextDone, PartSnapshot, ItemSnapshot, OutputItem, ItemPlaced, ResponseEnded>(event);
  for (const Turn& old : before) {
    const auto turn = same_turn(old, before, now);
    const bool changed = std::find(applied.changed.begin(), applied.changed.end(), old.item_id) !=
                         applied.changed.end();
    demand(changed || (turn && turn->text == old.text && turn->status == old.status &&
                       turn->deleted == old.deleted && turn->role == old.role));
    if (!turn) continue;  // its response was out of band, or it is a tool's
    demand(old.text.empty() || !turn->text.empty());
    const std::size_t grown = turn->text.size_bytes() + 2;  // two halves of three bytes make four
    if (is_any<TextDelta>(event)) demand(grown >= old.text.size_bytes());
    if (!may_replace && !is_any<TextDelta>(event)) demand(turn->text == old.text);
  }
  if (applied.repeat) demand(applied.changed.empty() && now.turns() == before);
}

bool same(const FinalTranscript& one, const FinalTranscript& other) {
  return one.turns == other.turns && one.gaps == other.gaps && one.complete == other.complete &&
         one.usage_json == other.usage_json && one.tool_calls == other.tool_calls;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Events events(data, size);
  Transcript live;
  Transcript recovered;
  Transcript spilling;
  spilling.spill_to(std::make_unique<session::test::MemorySpill>(
                        std::make_shared<session::test::MemorySpill::Control>()),
                    1 + size % 3);
  TimeMs now = 0;
  for (int count = 0; count < 100 && events.more(); ++count) {
    Event event = events.next();
    if (auto* cut = std::get_if<ItemTruncated>(&event.body))
      cut->audio_sent_ms = live.audio_sent_ms(cut->item_id, cut->content_index);
    const auto before = live.turns();
    auto applied = live.apply(event, ++now);
    check_shape(live.turns());
    auto also = spilling.apply(event, now);
    std::sort(also.changed.begin(), also.changed.end());
    demand(spilling.turns() == live.turns());
    demand(spilling.awaiting_answer() == live.awaiting_answer());
    demand(spilling.awaiting_transcription() == live.awaiting_transcription());
    check_step(before, live, event, applied);
    std::sort(applied.changed.begin(), applied.changed.end());
    demand(also.repeat == applied.repeat && also.changed == applied.changed);
    if (applied.repeat || std::holds_alternative<AudioDelta>(event.body)) continue;
    const auto journaled = verbatim::rows::decode_event(verbatim::rows::encode_event(event));
    demand(journaled && *journaled == event);
    recovered.apply(*journaled, now);
  }
  const auto open = live.turns();
  const FinalTranscript last = finalise(live, ++now);
  demand(same(finalise(recovered, now), last));
  demand(same(finalise(spilling, now), last));
  // Open turns are there in their order; besides them only items that a client requested in vain.
  std::size_t next = 0;
  for (const Turn& turn : last.turns) {
    demand(turn.status != TurnStatus::in_progress);
    if (next < open.size() && turn.item_id == open[next].item_id) {
      demand(turn.text == open[next++].text);
    } else {
      demand(std::find(last.gaps.begin(), last.gaps.end(),
                       Gap{turn.item_id, GapKind::unacknowledged_item}) != last.gaps.end());
    }
  }
  demand(next == open.size());
  // After the end, neither time nor a late event changes anything.
  Event late;
  late.body = TextDone{"item_0", "", 0, false, Text::from_wtf8("late")};
  demand(live.apply(late, ++now).changed.empty());
  demand(same(finalise(live, ++now), last));
  return 0;
}
