#include "simulator/conversation.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace verbatim::simulator {

namespace {

std::string id_of(const ConversationItem& item) { return item.json.at("id").get<std::string>(); }

}  // namespace

std::string text_of(const OrderedJson& item) {
  std::string text;
  const auto content = item.find("content");
  if (content == item.end()) return text;
  for (const OrderedJson& part : *content) {
    const auto words = part.find("text");
    if (words == part.end() || !words->is_string()) continue;
    if (!text.empty()) text += ' ';
    text += words->get_ref<const std::string&>();
  }
  return text;
}

void Conversation::insert(ConversationItem item, const std::string& after) {
  const auto place = after.empty() ? items_.begin() : std::next(by_id_.at(after));
  const std::string id = id_of(item);
  item.bytes = item.json.dump().size();
  bytes_ += item.bytes;
  by_id_[id] = items_.insert(place, std::move(item));
  while (items_.size() > 1 && (items_.size() > most_items || bytes_ > most_bytes)) forget_oldest();
}

void Conversation::forget_oldest() {
  bytes_ -= items_.front().bytes;
  by_id_.erase(id_of(items_.front()));
  items_.pop_front();
}

ConversationItem* Conversation::find(const std::string& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

bool Conversation::has_call(const std::string& call_id) const {
  return std::any_of(items_.begin(), items_.end(), [&](const ConversationItem& item) {
    return item.json.at("type") == "function_call" && item.json.at("call_id") == call_id;
  });
}

bool Conversation::erase(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  bytes_ -= found->second->bytes;
  items_.erase(found->second);
  by_id_.erase(found);
  return true;
}

std::string Conversation::last_id() const {
  return items_.empty() ? std::string() : id_of(items_.back());
}

OrderedJson Conversation::previous_of(const std::string& id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || found->second == items_.begin()) return nullptr;
  return std::prev(found->second)->json.at("id");
}

bool Conversation::is_second(const std::string& id) const {
  return items_.size() > 1 && std::next(items_.begin())->json.at("id") == id;
}

std::string Conversation::last_typed() const {
  const auto user = std::find_if(items_.rbegin(), items_.rend(), [](const ConversationItem& item) {
    return item.json.value("role", "") == "user";
  });
  return user == items_.rend() ? std::string() : text_of(user->json);
}

}  // namespace verbatim::simulator
