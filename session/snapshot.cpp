#include "session/snapshot.hpp"

#include <utility>

namespace verbatim::session {

namespace {

/// An item with more JSON than this beside its text counts as large.
constexpr std::size_t large_detail_bytes = 4096;

}  // namespace

std::string created_message(const protocol::ProviderDialect& provider,
                            const protocol::SessionSettings& settings, std::string_view event_id) {
  std::string message = provider.session_created(settings.session_json(), event_id);
  auto allowed = settings.without_transcription(message, provider);
  return allowed ? *std::move(allowed) : message;
}

std::vector<std::string> snapshot(const protocol::ProviderDialect& provider,
                                  const transcript::Transcript& transcript,
                                  const protocol::OpenAnswers& answers,
                                  const protocol::SessionSettings& settings,
                                  std::size_t large_bytes_max,
                                  const protocol::EventIds& next_event_id) {
  std::size_t large_left = large_bytes_max;
  std::vector<std::string> out{created_message(provider, settings, next_event_id())};
  const bool spoken = provider.read_session(settings.session_json()).speaks;
  std::string previous;
  for (const std::string& item_id : transcript.chain()) {
    const auto turn = transcript.turn(item_id);
    if (turn && turn->deleted) continue;
    auto item = transcript.item(item_id);
    if (!item) continue;
    if (const std::size_t bytes = item->detail.size(); bytes > large_detail_bytes) {
      if (bytes <= large_left) {
        large_left -= bytes;
      } else if (turn) {
        item->detail.clear();
      } else {
        continue;
      }
    }
    const protocol::ItemView view{previous, spoken, !settings.hides_transcription()};
    for (std::string& message : provider.show_item(*item, turn, view, next_event_id))
      out.push_back(std::move(message));
    previous = item_id;
  }
  for (std::string& message : answers.so_far(transcript, spoken, next_event_id))
    out.push_back(std::move(message));
  return out;
}

}  // namespace verbatim::session
