#include "session/upstream_connection.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "session/relay_events.hpp"

namespace verbatim::session {

namespace {

const std::string configure_id(configure_event_id);
const std::string item_prefix(rebuilt_item_prefix);

/// Above this many waiting bytes, no further item is prepared until some have left.
constexpr std::size_t waiting_bytes_max = 256 * 1024;

protocol::Message relay_message(std::string bytes) {
  return {std::move(bytes), 0, protocol::MessageKind::other};
}

/// A plain word, or "error": the event reader has already checked it.
std::string code_of(const transcript::ProviderError& error) {
  if (!error.code.empty()) return error.code;
  return error.type.empty() ? "error" : error.type;
}

}  // namespace

bool UpstreamConnection::prepare(const transcript::Event& event,
                                 const transcript::Transcript& transcript,
                                 const protocol::SessionSettings& settings,
                                 transcript::Sequence needs, bool settled_only) {
  if (std::holds_alternative<transcript::UpstreamOpened>(event.body)) {
    if (session_created_) return true;
    session_created_ = event;
    std::string update = provider_->restore_session(settings.session_json(), configure_id);
    configured_ = update.empty();
    if (!configured_) outbox_.push(relay_message(std::move(update)), 0);
    catch_up(transcript, needs, settled_only);
  } else if (std::holds_alternative<transcript::SessionConfigured>(event.body)) {
    if (session_created_) configuration_ = event;
    configured_ = session_created_.has_value();
  } else if (const auto* placed = std::get_if<transcript::ItemPlaced>(&event.body)) {
    take(placed->item.id);
  } else if (const auto* error = std::get_if<transcript::ProviderError>(&event.body)) {
    return hear_error(*error);
  }
  return true;
}

/// The provider has placed an item, perhaps one that an earlier error seemed to refuse.
void UpstreamConnection::take(const std::string& item_id) {
  if (!given_.contains(item_id)) return;
  taken_.insert(item_id);
  answered(item_id);
  std::erase_if(refused_, [&](const Rebuild::Missing& one) { return one.item_id == item_id; });
}

/// False if no answer for this item was awaited.
bool UpstreamConnection::answered(const std::string& item_id) {
  // Answers come in order: it is almost always the first.
  const auto at = std::find_if(awaited_.begin(), awaited_.end(),
                               [&](const Awaited& one) { return one.item_id == item_id; });
  if (at == awaited_.end()) return false;
  unanswered_bytes_ -= at->bytes;
  awaited_.erase(at);
  return true;
}

/// An item that the provider refuses is left out, and the conversation goes on with the others. A
/// refusal of the settings fails the connection: the model would not be configured as asked.
bool UpstreamConnection::hear_error(const transcript::ProviderError& error) {
  std::string code = code_of(error);
  std::string item_id;
  if (error.client_event_id.starts_with(item_prefix)) {
    item_id = error.client_event_id.substr(item_prefix.size());
  } else if (error.client_event_id.empty() && configured_ && !awaited_.empty()) {
    item_id = awaited_.front().item_id;  // the error names no event; answers come in order
  } else {
    rejection_ = std::move(code);
    return session_created_.has_value() && error.client_event_id != configure_id;
  }
  rejection_ = code;
  if (answered(item_id)) refused_.push_back({std::move(item_id), std::move(code)});
  return true;
}

bool UpstreamConnection::is_ready() const {
  if (!rebuilds_) return open_;
  return session_created_.has_value() && configured_ && to_give_.empty() && awaited_.empty();
}

bool UpstreamConnection::refused_all() const {
  return !given_.empty() && taken_.empty() && refused_.size() == given_.size();
}

bool UpstreamConnection::catch_up(const transcript::Transcript& transcript,
                                  transcript::Sequence needs, bool settled_only) {
  if (!takes_items_) return false;
  const std::size_t before = given_.size();
  for (const std::string& item_id : transcript.chain()) {
    if (planned_.contains(item_id)) continue;
    const auto turn = transcript.turn(item_id);
    if (turn && turn->deleted) continue;
    if (settled_only && transcript.is_open(item_id)) break;
    planned_.insert(item_id);
    to_give_.push_back(item_id);
  }
  feed(transcript, needs);
  return given_.size() > before || !to_give_.empty();
}

void UpstreamConnection::feed(const transcript::Transcript& transcript,
                              transcript::Sequence needs) {
  while (!to_give_.empty() && outbox_.bytes() < waiting_bytes_max) {
    const std::string item_id = std::move(to_give_.front());
    to_give_.pop_front();
    give(transcript, item_id, needs);
  }
}

void UpstreamConnection::give(const transcript::Transcript& transcript, const std::string& item_id,
                              transcript::Sequence needs) {
  const auto turn = transcript.turn(item_id);
  if (turn && turn->deleted) return;
  protocol::RebuiltItem item{{}, "not_kept"};
  try {
    if (const auto came = transcript.item(item_id))
      item = provider_->create_item(*came, turn, item_bytes_max_, item_prefix + item_id);
  } catch (const transcript::SpillError&) {
    // The item's parts beside its text are lost; the conversation goes on.
  }
  if (item.json.empty()) {
    left_out_.push_back({item_id, item.why_not});
    return;
  }
  unanswered_bytes_ += item.json.size();
  awaited_.push_back({item_id, item.json.size()});
  given_.insert(item_id);
  outbox_.push(relay_message(std::move(item.json)), needs);
}

bool UpstreamConnection::is_echo(const transcript::Event& event) const {
  if (const auto* placed = std::get_if<transcript::ItemPlaced>(&event.body))
    return given_.contains(placed->item.id);
  if (const auto* snapshot = std::get_if<transcript::ItemSnapshot>(&event.body))
    return !snapshot->retrieved && given_.contains(snapshot->item.id);
  return false;
}

Rebuild UpstreamConnection::rebuild() const { return {taken_.size(), left_out_, refused_}; }

}  // namespace verbatim::session
