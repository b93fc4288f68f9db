#include "session/unanswered.hpp"

#include <algorithm>
#include <utility>

#include "session/json_view.hpp"

namespace verbatim::session {

void Unanswered::asked(std::string_view type, const MessagePtr& message, Sequence needs) {
  Request request{Request::Kind::item, message, needs, {}, {}, false};
  const auto view = json::View::of(message->bytes);
  if (type == "conversation.item.create") {
    request.item_id = view["item"]["id"].string_or_empty();
  } else if (type == "response.create") {
    request.kind = Request::Kind::response;
  } else if (type == "session.update") {
    request.kind = Request::Kind::settings;
  } else {
    return;
  }
  request.event_id = view["event_id"].string_or_empty();
  bytes_ += message->bytes.size();
  requests_.push_back(std::move(request));
  while (requests_.size() > count_max || (bytes_ > bytes_max && requests_.size() > 1))
    forget_first();
}

void Unanswered::forget_first() {
  bytes_ -= requests_.front().message->bytes.size();
  requests_.pop_front();
}

void Unanswered::sent(const MessagePtr& message) {
  for (Request& request : requests_)
    if (request.message == message) request.sent = true;
}

void Unanswered::withdrawn(const MessagePtr& message) {
  drop_first([&message](const Request& one) { return one.message == message; });
}

void Unanswered::replaced(const MessagePtr& message, MessagePtr by, std::string behind) {
  for (Request& request : requests_) {
    if (request.message != message) continue;
    bytes_ += by->bytes.size() - message->bytes.size();
    request.message = by;
    if (request.behind.empty()) request.behind = behind;
  }
}

MessagePtr Unanswered::item_message(std::string_view item_id) const {
  for (const Request& request : requests_)
    if (request.kind == Request::Kind::item && request.item_id == item_id) return request.message;
  return nullptr;
}

template <class Matches>
std::string Unanswered::drop_first(Matches matches) {
  const auto found = std::find_if(requests_.begin(), requests_.end(), matches);
  if (found == requests_.end()) return {};
  std::string behind = std::move(found->behind);
  bytes_ -= found->message->bytes.size();
  requests_.erase(found);
  return behind;
}

std::string Unanswered::answered_by(const Event& event) {
  if (requests_.empty()) return {};
  using Kind = Request::Kind;
  if (const auto* placed = std::get_if<ItemPlaced>(&event.body); placed && !placed->committed) {
    const std::string& id = placed->item.id;
    const bool named = std::any_of(requests_.begin(), requests_.end(),
                                   [&id](const Request& one) { return one.item_id == id; });
    // The model's own items answer nobody; they are placed while they are in progress.
    if (!named && placed->item.status == ItemStatus::in_progress) return {};
    return drop_first([&](const Request& one) {
      return one.kind == Kind::item && (named ? one.item_id == id : one.item_id.empty());
    });
  } else if (std::holds_alternative<ResponseStarted>(event.body)) {
    return drop_first([](const Request& one) { return one.kind == Kind::response; });
  } else if (std::holds_alternative<SessionConfigured>(event.body)) {
    return drop_first([](const Request& one) { return one.kind == Kind::settings; });
  } else if (const auto* error = std::get_if<ProviderError>(&event.body)) {
    const bool response_refused = error->code == "conversation_already_has_active_response";
    return drop_first([&](const Request& one) {
      return error->client_event_id.empty() ? response_refused && one.kind == Kind::response
                                            : one.event_id == error->client_event_id;
    });
  }
  return {};
}

void Unanswered::settings_refused() {
  drop_first([](const Request& one) { return one.kind == Request::Kind::settings; });
}

std::vector<Unanswered::Request> Unanswered::take_sent() {
  std::vector<Request> sent;
  for (Request& request : requests_) {
    if (!std::exchange(request.sent, false)) continue;
    sent.push_back(request);
  }
  return sent;
}

bool Unanswered::has_response() const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [](const Request& one) { return one.kind == Request::Kind::response; });
}

}  // namespace verbatim::session
