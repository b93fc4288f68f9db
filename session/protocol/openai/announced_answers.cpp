#include "session/protocol/openai/announced_answers.hpp"

#include <algorithm>

#include "base/json/view.hpp"
#include "session/protocol/openai/answer_events.hpp"

namespace verbatim::protocol {

namespace {

/// Estimated size of an answer, an item or a part without its JSON.
constexpr std::size_t entry_bytes = 256;

template <class List, class Matches>
auto* find_in(List& list, Matches matches) {
  const auto found = std::find_if(list.begin(), list.end(), matches);
  return found == list.end() ? nullptr : &*found;
}

bool has_arguments(std::string_view type) {
  return type.starts_with("response.function_call_arguments.") ||
         type.starts_with("response.mcp_call_arguments.");
}

bool concerns_answers(std::string_view type) {
  if (type.ends_with(".delta")) return has_arguments(type);
  return type.starts_with("response.") || type == "conversation.item.added" ||
         type == "conversation.item.created" || type == "conversation.item.done";
}

}  // namespace

struct AnnouncedAnswers::Reading {
  Reading(std::string_view its_type, std::string_view message)
      : type(its_type), view(json::View::of(message)) {}

  std::string text(std::string_view member) const { return view[member].string_or_empty(); }
  int number(std::string_view member) const {
    const auto value = view[member].integer().value_or(0);
    return value >= 0 && value <= 1'000'000 ? static_cast<int>(value) : 0;
  }

  std::string_view type;
  json::View view;
};

const AnnouncedAnswers::Item* AnnouncedAnswers::Answer::find(std::string_view item_id) const {
  return find_in(items, [item_id](const Item& one) { return one.id == item_id; });
}

const AnnouncedAnswers::Answer* AnnouncedAnswers::find(std::string_view response_id) const {
  return find_in(answers_, [response_id](const Answer& one) { return one.id == response_id; });
}

void AnnouncedAnswers::clear() {
  answers_.clear();
  bytes_ = 0;
}

std::vector<std::string> AnnouncedAnswers::so_far(const transcript::Transcript& transcript,
                                                  bool spoken,
                                                  const EventIds& next_event_id) const {
  return answers_so_far(*this, transcript, spoken, next_event_id);
}

std::vector<std::string> AnnouncedAnswers::cut_off(const transcript::Transcript& transcript,
                                                   bool spoken,
                                                   const EventIds& next_event_id) const {
  return cut_off_answers(*this, transcript, spoken, next_event_id);
}

bool AnnouncedAnswers::take(std::size_t bytes) {
  if (bytes > bytes_max_ - bytes_) return false;
  bytes_ += bytes;
  return true;
}

std::size_t AnnouncedAnswers::size_of(const Answer& answer) {
  std::size_t bytes = entry_bytes + answer.json.size();
  for (const Item& item : answer.items) {
    bytes += entry_bytes * (1 + item.parts.size()) + item.json.size();
    bytes += item.arguments.value_or(std::string()).size();
  }
  return bytes;
}

AnnouncedAnswers::Answer* AnnouncedAnswers::answer(std::string_view response_id) {
  if (response_id.empty()) return nullptr;
  if (Answer* const known =
          find_in(answers_, [response_id](const Answer& one) { return one.id == response_id; }))
    return known;
  if (!take(entry_bytes)) return nullptr;
  answers_.push_back({std::string(response_id), {}, {}});
  return &answers_.back();
}

AnnouncedAnswers::Item* AnnouncedAnswers::find_item(std::string_view item_id) {
  for (Answer& answer : answers_)
    if (Item* const known =
            find_in(answer.items, [item_id](const Item& one) { return one.id == item_id; }))
      return known;
  return nullptr;
}

AnnouncedAnswers::Item* AnnouncedAnswers::item(const Reading& event) {
  std::string id = event.text("item_id");
  if (id.empty()) id = event.view["item"]["id"].string_or_empty();
  if (id.empty()) return nullptr;
  if (Item* const known = find_item(id)) return known;
  Answer* const answering = answer(event.text("response_id"));
  if (answering == nullptr || !take(entry_bytes)) return nullptr;
  Item& made = answering->items.emplace_back();
  made.id = std::move(id);
  made.output_index = event.number("output_index");
  return &made;
}

AnnouncedAnswers::Part* AnnouncedAnswers::part(Item& item, const Reading& event) {
  const int index = event.number("content_index");
  if (Part* const known =
          find_in(item.parts, [index](const Part& one) { return one.content_index == index; }))
    return known;
  if (!take(entry_bytes)) return nullptr;
  Part& made = item.parts.emplace_back();
  made.content_index = index;
  return &made;
}

void AnnouncedAnswers::see(std::string_view type, std::string_view message) {
  if (!concerns_answers(type)) return;
  const Reading event(type, message);
  if (type == "response.created") {
    begin(event);
  } else if (type == "response.done") {
    finish(event);
  } else if (type == "response.output_item.added") {
    announce(event);
  } else if (type == "conversation.item.added" || type == "conversation.item.created") {
    place(event);
  } else if (has_arguments(type)) {
    take_arguments(event);
  } else {
    note_end(event);
  }
}

void AnnouncedAnswers::begin(const Reading& event) {
  const json::View response = event.view["response"];
  Answer* const begun = answer(response["id"].string_or_empty());
  if (begun != nullptr && begun->json.empty() && take(response.raw().size()))
    begun->json = response.raw();
}

void AnnouncedAnswers::finish(const Reading& event) {
  const std::string id = event.view["response"]["id"].string_or_empty();
  const auto over = std::find_if(answers_.begin(), answers_.end(),
                                 [&id](const Answer& one) { return one.id == id; });
  if (over == answers_.end()) return;
  bytes_ -= size_of(*over);
  answers_.erase(over);
}

void AnnouncedAnswers::announce(const Reading& event) {
  Item* const announced = item(event);
  if (announced == nullptr) return;
  const std::string_view json = event.view["item"].raw();
  if (announced->json.empty() && take(json.size())) announced->json = json;
}

void AnnouncedAnswers::place(const Reading& event) {
  Item* const placed = find_item(event.view["item"]["id"].string_or_empty());
  if (placed == nullptr || placed->previous) return;
  const json::View previous = event.view["previous_item_id"];
  placed->previous = previous.exists() ? std::string(previous.raw()) : std::string("null");
}

void AnnouncedAnswers::take_arguments(const Reading& event) {
  Item* const calling = item(event);
  if (calling == nullptr) return;
  const bool whole = event.type.ends_with(".done");
  calling->arguments_ended = calling->arguments_ended || whole;
  if (!calling->arguments) return;
  const std::string more = event.text(whole ? "arguments" : "delta");
  std::string& ours = *calling->arguments;
  if (whole && more.empty()) return;
  bytes_ -= whole ? ours.size() : 0;
  if (take(more.size())) {
    whole ? ours = more : ours.append(more);
  } else {
    bytes_ -= whole ? 0 : ours.size();
    calling->arguments.reset();
  }
}

void AnnouncedAnswers::note_end(const Reading& event) {
  const std::string_view type = event.type;
  if (type == "conversation.item.done") {
    if (Item* const ended = find_item(event.view["item"]["id"].string_or_empty()))
      ended->ended_in_conversation = true;
    return;
  }
  Item* const about = item(event);
  if (about == nullptr) return;
  if (type == "response.output_item.done") {
    about->ended = true;
  } else if (event.view["content_index"].exists()) {
    Part* const in = part(*about, event);
    if (in == nullptr) return;
    // The names of GA and beta have the same ends.
    const bool audio_done = type.ends_with("audio.done");
    const bool transcript_done = type.ends_with("audio_transcript.done");
    in->spoken = in->spoken || audio_done || transcript_done ||
                 event.view["part"]["type"].between_quotes().ends_with("audio");
    in->audio_ended = in->audio_ended || audio_done;
    in->words_ended = in->words_ended || transcript_done || type.ends_with("text.done");
    in->ended = in->ended || type == "response.content_part.done";
  }
}

}  // namespace verbatim::protocol
