#include "session/pending_requests.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/json/view.hpp"

namespace verbatim::session {

namespace {

std::size_t print_of_words(const transcript::Item& item) {
  std::size_t print = item.parts.size();
  for (const transcript::Part& part : item.parts)
    print = print * 31 + std::hash<std::string>{}(part.text.wtf8());
  return print;
}

}  // namespace

void Unanswered::note(const transcript::Item& item, Request& request) {
  request.item_id = item.id;
  request.item_kind = item.kind;
  request.role = item.role;
  request.words = print_of_words(item);
}

void Unanswered::asked(protocol::ClientRequest request, const protocol::MessagePtr& message,
                       transcript::Sequence needs, const std::optional<transcript::Event>& event) {
  Request kept{Request::Kind::item, message, needs};
  if (request == protocol::ClientRequest::create_item) {
    if (const auto* asked = event ? std::get_if<transcript::ItemRequested>(&event->body) : nullptr)
      note(asked->item, kept);
  } else if (request == protocol::ClientRequest::create_response) {
    kept.kind = Request::Kind::response;
  } else if (request == protocol::ClientRequest::update_session) {
    kept.kind = Request::Kind::settings;
  } else {
    return;
  }
  kept.event_id = json::View::of(message->bytes)["event_id"].string_or_empty();
  bytes_ += message->bytes.size();
  requests_.push_back(std::move(kept));
  while (requests_.size() > count_max || (bytes_ > bytes_max && requests_.size() > 1))
    forget_first();
}

void Unanswered::forget_first() {
  bytes_ -= requests_.front().message->bytes.size();
  requests_.pop_front();
}

void Unanswered::sent(const protocol::MessagePtr& message) {
  for (Request& request : requests_)
    if (request.message == message) request.sent = true;
}

void Unanswered::withdrawn(const protocol::MessagePtr& message) {
  drop_first([&message](const Request& one) { return one.message == message; });
}

void Unanswered::replaced(const protocol::MessagePtr& message, protocol::MessagePtr by,
                          std::string behind) {
  for (Request& request : requests_) {
    if (request.message != message) continue;
    bytes_ += by->bytes.size() - message->bytes.size();
    request.message = by;
    if (request.behind.empty()) request.behind = behind;
  }
}

protocol::MessagePtr Unanswered::item_message(std::string_view item_id) const {
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

std::string Unanswered::answered_by(const transcript::Event& event,
                                    protocol::ErrorMeaning meaning) {
  if (requests_.empty()) return {};
  using Kind = Request::Kind;
  if (const auto* placed = std::get_if<transcript::ItemPlaced>(&event.body);
      placed && !placed->committed) {
    const std::string& id = placed->item.id;
    const bool named = std::any_of(requests_.begin(), requests_.end(), [&id](const Request& one) {
      return !id.empty() && one.item_id == id;
    });
    // The model's own items answer no request; they are placed while they are in progress.
    if (!named && placed->item.status == transcript::ItemStatus::in_progress) return {};
    if (named)
      return drop_first(
          [&id](const Request& one) { return one.kind == Kind::item && one.item_id == id; });
    // A request that was refused without its name stays in the list. It must not be matched here,
    // so prefer a request with the same text.
    const auto is_like = [placed](const Request& one) {
      return one.kind == Kind::item && one.item_id.empty() && one.item_kind == placed->item.kind &&
             one.role == placed->item.role;
    };
    const std::size_t words = print_of_words(placed->item);
    const bool word_for_word =
        std::any_of(requests_.begin(), requests_.end(),
                    [&](const auto& one) { return is_like(one) && one.words == words; });
    return drop_first(
        [&](const Request& one) { return is_like(one) && (!word_for_word || one.words == words); });
  } else if (std::holds_alternative<transcript::ResponseStarted>(event.body)) {
    return drop_first([](const Request& one) { return one.kind == Kind::response; });
  } else if (std::holds_alternative<transcript::SessionConfigured>(event.body)) {
    return drop_first([](const Request& one) { return one.kind == Kind::settings; });
  } else if (const auto* error = std::get_if<transcript::ProviderError>(&event.body)) {
    const bool response_refused = meaning == protocol::ErrorMeaning::response_running;
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
