#include "session/protocol/openai/answer_events.hpp"

#include <algorithm>
#include <utility>

#include "base/json/dump.hpp"
#include "base/json/view.hpp"
#include "session/protocol/openai/item_writer.hpp"

namespace verbatim::protocol {

namespace {

Json parsed(const std::string& json) { return Json::parse(json, nullptr, false); }

// ---- The known parts of an answer ----

struct OpenPart {
  AnnouncedAnswers::Part announced;
  std::string words;
};

struct AnswerItem {
  std::string id;
  int output_index = 0;
  Json json;
  bool open = false;
  AnnouncedAnswers::Item announced;
  std::vector<OpenPart> parts;
};

struct WholeAnswer {
  std::string id;
  Json json;
  std::vector<AnswerItem> items;
};

/// Collects open answers from their announcements and from the transcript. The transcript has the
/// text, and all that is known of an answer that was never announced.
class AnswerReader {
 public:
  AnswerReader(const AnnouncedAnswers& announced, const transcript::Transcript& transcript,
               bool spoken)
      : announced_(announced), transcript_(transcript), spoken_(spoken) {}

  WholeAnswer read(const transcript::Transcript::Running& running) const {
    const AnnouncedAnswers::Answer* const announced = announced_.find(running.response_id);
    WholeAnswer answer{running.response_id, response_json(running, announced), {}};
    const bool spoken = speaks(answer.json);
    for (std::size_t i = 0; i < running.item_ids.size(); ++i) {
      const std::string& id = running.item_ids[i];
      const AnnouncedAnswers::Item* const item =
          announced != nullptr ? announced->find(id) : nullptr;
      answer.items.push_back(read_item(id, item, static_cast<int>(i), spoken));
    }
    std::stable_sort(
        answer.items.begin(), answer.items.end(),
        [](const AnswerItem& a, const AnswerItem& b) { return a.output_index < b.output_index; });
    return answer;
  }

 private:
  static Json response_json(const transcript::Transcript::Running& running,
                            const AnnouncedAnswers::Answer* announced) {
    if (announced != nullptr) {
      Json as_created = parsed(announced->json);
      if (as_created.is_object()) return as_created;
    }
    Json made = {{"id", running.response_id}, {"object", "realtime.response"}};
    if (running.out_of_band) made["conversation_id"] = nullptr;
    return made;
  }

  bool speaks(const Json& response) const {
    const auto modalities = response.find("output_modalities");
    if (modalities == response.end() || !modalities->is_array() || modalities->empty())
      return spoken_;
    return std::find(modalities->begin(), modalities->end(), "audio") != modalities->end();
  }

  AnswerItem read_item(const std::string& id, const AnnouncedAnswers::Item* announced, int index,
                       bool spoken) const {
    AnswerItem item{id, index, {}, is_open(id), {}, {}};
    if (announced != nullptr) {
      item.announced = *announced;
      item.output_index = announced->output_index;
      item.open = !announced->ended;
      if (item.open) item.json = parsed(announced->json);
    }
    if (!item.json.is_object()) item.json = in_transcript(id, spoken);
    if (item.open) item.parts = read_parts(item, spoken);
    return item;
  }

  Json in_transcript(const std::string& id, bool spoken) const {
    const auto item = transcript_.item(id);
    Json json = item ? parsed(shown_item(*item, transcript_.turn(id), spoken)) : Json();
    if (!json.is_object())
      json = {{"id", id}, {"type", "message"}, {"role", "assistant"}, {"content", Json::array()}};
    return json;
  }

  std::vector<OpenPart> read_parts(const AnswerItem& item, bool spoken) const {
    std::vector<OpenPart> parts;
    for (const AnnouncedAnswers::Part& part : item.announced.parts) parts.push_back({part, {}});
    const auto part_at = [&parts, spoken](int index, bool has_audio) -> OpenPart& {
      const auto known = std::find_if(parts.begin(), parts.end(), [index](const OpenPart& one) {
        return one.announced.content_index == index;
      });
      if (known != parts.end()) return *known;
      OpenPart& made = parts.emplace_back();
      made.announced.content_index = index;
      made.announced.spoken = spoken || has_audio;
      return made;
    };
    if (const auto kept = transcript_.item(item.id)) {
      for (const transcript::Part& part : kept->parts) {
        if (part.text.empty()) continue;
        const bool has_audio = transcript_.audio_sent_ms(item.id, part.content_index) > 0;
        part_at(part.content_index, has_audio).words = part.text.utf8();
      }
    }
    if (transcript_.audio_sent_ms(item.id, 0) > 0) part_at(0, true);
    std::sort(parts.begin(), parts.end(), [](const OpenPart& a, const OpenPart& b) {
      return a.announced.content_index < b.announced.content_index;
    });
    return parts;
  }

  bool is_open(const std::string& id) const {
    if (const auto turn = transcript_.turn(id))
      return turn->status == transcript::TurnStatus::in_progress;
    const auto item = transcript_.item(id);
    return item && item->status == transcript::ItemStatus::in_progress;
  }

  const AnnouncedAnswers& announced_;
  const transcript::Transcript& transcript_;
  bool spoken_;
};

// ---- Writing the events ----

class AnswerWriter {
 public:
  explicit AnswerWriter(const EventIds& next_event_id) : next_event_id_(next_event_id) {}

  void so_far(const WholeAnswer& answer) {
    add("response.created", {{"response", response(answer, "in_progress", nullptr)}});
    for (const AnswerItem& item : answer.items) {
      if (!item.open) continue;
      add_to(answer, item, "response.output_item.added", {{"item", item.json}});
      for (const OpenPart& part : item.parts) part_so_far(answer, item, part);
      const std::string arguments = item.announced.arguments.value_or(std::string());
      if (!arguments.empty()) add_arguments(answer, item, "delta", "delta", arguments);
      if (item.announced.arguments_ended) arguments_done(answer, item);
    }
  }

  void cut_off(WholeAnswer answer) {
    for (AnswerItem& item : answer.items)
      if (item.open) end_item(answer, item);
    Json done =
        response(answer, "incomplete", {{"type", "incomplete"}, {"reason", "connection_lost"}});
    for (const AnswerItem& item : answer.items) done["output"].push_back(item.json);
    add("response.done", {{"response", std::move(done)}});
  }

  std::vector<std::string> take() { return std::move(out_); }

 private:
  void add(const char* type, Json members) {
    members["type"] = type;
    members["event_id"] = next_event_id_();
    out_.push_back(dump(members));
  }
  void add_to(const WholeAnswer& answer, const AnswerItem& item, const char* type, Json members) {
    members["response_id"] = answer.id;
    members["output_index"] = item.output_index;
    add(type, std::move(members));
  }
  void add_to(const WholeAnswer& answer, const AnswerItem& item, const OpenPart& part,
              const char* type, Json members) {
    members["item_id"] = item.id;
    members["content_index"] = part.announced.content_index;
    add_to(answer, item, type, std::move(members));
  }

  static Json response(const WholeAnswer& answer, const char* status, Json details) {
    Json json = answer.json;
    json["status"] = status;
    json["status_details"] = std::move(details);
    json["output"] = Json::array();
    json["usage"] = nullptr;
    return json;
  }

  static bool is_of_type(const AnswerItem& item, const char* wanted) {
    const auto type = item.json.find("type");
    return type != item.json.end() && *type == wanted;
  }
  static bool is_call(const AnswerItem& item) {
    return is_of_type(item, "function_call") || is_of_type(item, "mcp_call");
  }

  static const char* words_name(const OpenPart& part) {
    return part.announced.spoken ? "transcript" : "text";
  }

  void part_so_far(const WholeAnswer& answer, const AnswerItem& item, const OpenPart& part) {
    const bool spoken = part.announced.spoken;
    add_to(answer, item, part, "response.content_part.added",
           {{"part", {{"type", spoken ? "audio" : "text"}, {words_name(part), ""}}}});
    if (!part.words.empty())
      add_to(answer, item, part,
             spoken ? "response.output_audio_transcript.delta" : "response.output_text.delta",
             {{"delta", part.words}});
    if (part.announced.audio_ended) audio_done(answer, item, part);
    if (part.announced.words_ended) words_done(answer, item, part);
    if (part.announced.ended) part_done(answer, item, part);
  }

  void audio_done(const WholeAnswer& answer, const AnswerItem& item, const OpenPart& part) {
    add_to(answer, item, part, "response.output_audio.done", Json::object());
  }
  void words_done(const WholeAnswer& answer, const AnswerItem& item, const OpenPart& part) {
    add_to(answer, item, part,
           part.announced.spoken ? "response.output_audio_transcript.done"
                                 : "response.output_text.done",
           {{words_name(part), part.words}});
  }
  void part_done(const WholeAnswer& answer, const AnswerItem& item, const OpenPart& part) {
    add_to(
        answer, item, part, "response.content_part.done",
        {{"part",
          {{"type", part.announced.spoken ? "audio" : "text"}, {words_name(part), part.words}}}});
  }

  /// `what`: delta or done.
  void add_arguments(const WholeAnswer& answer, const AnswerItem& item, const std::string& what,
                     const char* member, const std::string& arguments) {
    const bool mcp = is_of_type(item, "mcp_call");
    Json members = {{"item_id", item.id}, {member, arguments}};
    const auto copy = [&](const char* name) {
      if (const auto at = item.json.find(name); at != item.json.end()) members[name] = *at;
    };
    if (!mcp) copy("call_id");
    if (!mcp && what == "done") copy("name");
    const std::string type =
        (mcp ? "response.mcp_call_arguments." : "response.function_call_arguments.") + what;
    add_to(answer, item, type.c_str(), std::move(members));
  }
  void arguments_done(const WholeAnswer& answer, const AnswerItem& item) {
    add_arguments(answer, item, "done", "arguments",
                  item.announced.arguments.value_or(std::string()));
  }

  void end_item(const WholeAnswer& answer, AnswerItem& item) {
    for (const OpenPart& part : item.parts) {
      if (part.announced.ended) continue;
      if (part.announced.spoken && !part.announced.audio_ended) audio_done(answer, item, part);
      if (!part.announced.words_ended) words_done(answer, item, part);
      part_done(answer, item, part);
    }
    const bool calls = is_call(item);
    if (calls && item.announced.arguments && !item.announced.arguments_ended)
      arguments_done(answer, item);
    complete(item);
    if (item.announced.previous && !item.announced.ended_in_conversation)
      add("conversation.item.done",
          {{"previous_item_id", parsed(*item.announced.previous)}, {"item", item.json}});
    add_to(answer, item, "response.output_item.done", {{"item", item.json}});
  }

  /// Gives the item's JSON the content and status that it has at its end.
  static void complete(AnswerItem& item) {
    item.json["status"] = "incomplete";
    if (is_call(item) && item.announced.arguments)
      item.json["arguments"] = *item.announced.arguments;
    if (item.parts.empty()) return;
    Json& content = item.json["content"] = Json::array();
    for (const OpenPart& part : item.parts)
      content.push_back({{"type", part.announced.spoken ? "output_audio" : "output_text"},
                         {words_name(part), part.words}});
  }

  const EventIds& next_event_id_;
  std::vector<std::string> out_;
};

}  // namespace

std::vector<std::string> answers_so_far(const AnnouncedAnswers& announced,
                                        const transcript::Transcript& transcript, bool spoken,
                                        const EventIds& next_event_id) {
  const AnswerReader reader(announced, transcript, spoken);
  AnswerWriter writer(next_event_id);
  for (const transcript::Transcript::Running& running : transcript.running())
    writer.so_far(reader.read(running));
  return writer.take();
}

std::vector<std::string> cut_off_answers(const AnnouncedAnswers& announced,
                                         const transcript::Transcript& transcript, bool spoken,
                                         const EventIds& next_event_id) {
  const AnswerReader reader(announced, transcript, spoken);
  AnswerWriter writer(next_event_id);
  for (const transcript::Transcript::Running& running : transcript.running())
    writer.cut_off(reader.read(running));
  return writer.take();
}

}  // namespace verbatim::protocol
