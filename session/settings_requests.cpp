#include "session/settings_requests.hpp"

#include <algorithm>
#include <iterator>

#include "base/json/view.hpp"

namespace verbatim::session {

void SettingsRequests::queued(const protocol::MessagePtr& message, Purpose purpose,
                              const protocol::SessionFacts& asks) {
  const auto view = json::View::of(message->bytes);
  Request request;
  request.message = message;
  request.purpose = purpose;
  request.event_id = view["event_id"].string_or_empty();
  if (purpose == Purpose::client) request.transcription = asks.wants_transcription;
  request.transcription_model = asks.transcription_model;
  requests_.push_back(std::move(request));
  if (requests_.size() > count_max) requests_.pop_front();
}

void SettingsRequests::sent(const protocol::MessagePtr& message) {
  const auto first_unsent = std::find_if(requests_.begin(), requests_.end(),
                                         [](const Request& one) { return !one.sent; });
  const auto leaves = std::find_if(first_unsent, requests_.end(), [&message](const Request& one) {
    return one.message == message;
  });
  if (leaves == requests_.end()) return;
  leaves->sent = true;
  std::rotate(first_unsent, leaves, std::next(leaves));
}

std::optional<SettingsRequests::Request> SettingsRequests::take(
    std::deque<Request>::iterator which) {
  if (which == requests_.end()) return std::nullopt;
  Request taken = std::move(*which);
  requests_.erase(which);
  return taken;
}

// Some providers leave an update unanswered. If the session shows the transcription model of the
// next request, and not that of the relay's, the event answers the next request.
std::optional<SettingsRequests::Request> SettingsRequests::answered(const std::string& shown) {
  while (requests_.size() > 1 && requests_.front().own() && requests_[1].sent) {
    const std::string& wanted_next = requests_[1].transcription_model;
    if (requests_.front().transcription_model == shown || wanted_next.empty() ||
        wanted_next != shown)
      break;
    requests_.pop_front();
  }
  return take(requests_.begin());
}

std::optional<SettingsRequests::Request> SettingsRequests::refused(
    const protocol::ErrorAnswer& error) {
  if (!error.event_id.empty()) {
    return take(std::find_if(requests_.begin(), requests_.end(), [&error](const Request& one) {
      return one.event_id == error.event_id;
    }));
  }
  if (!error.about_settings) return std::nullopt;
  return take(requests_.begin());
}

void SettingsRequests::connection_lost() {
  std::erase_if(requests_, [](const Request& one) { return one.sent; });
}

bool SettingsRequests::has_own() const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [](const Request& one) { return one.own(); });
}

}  // namespace verbatim::session
