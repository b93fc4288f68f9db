// The conversation so far, for a returning client whose missed messages are not retained. It is
// written as the provider's own events, as if the client had just connected (the interface, section
// 2).
//
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "session/protocol/answer_events.hpp"
#include "session/protocol/session_settings.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::session {

/// The events of a snapshot, in this order:
/// - session.created;
/// - each item as added and done, in the conversation's order; after an item that the user spoke,
///   what is known of its transcription;
/// - what has been sent of an answer under way.
///
/// All text in it is in `transcript`. `large_bytes_max` limits what is shown of items beside their
/// text (images, large tool outputs).
std::vector<std::string> snapshot(const Transcript& transcript, const OpenAnswers& answers,
                                  const SessionSettings& settings, std::size_t large_bytes_max,
                                  const EventIds& next_event_id);

/// The events with which the provider answers a conversation.item.create: added and done.
///
/// - `spoken`: the user spoke the item, so its transcription follows.
/// - `with_words`: false: the transcription is left out.
std::vector<std::string> shown(const Transcript& transcript, const std::string& item_id,
                               const std::string& previous_item_id, bool spoken,
                               const EventIds& next_event_id, bool with_words = true);

}  // namespace verbatim::session
