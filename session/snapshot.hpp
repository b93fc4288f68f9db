// A conversation so far, told to a client that comes back and can not be given what it missed: the
// provider's own events, as if it had just connected (the interface, section 2).
//
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "session/protocol/answer_events.hpp"
#include "session/protocol/session_settings.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::session {

/// session.created first, then each item as added and done in the conversation's order, behind one
/// that was spoken by the user what is known of its words, then what of an answer under way has
/// been said. All text in it is in `transcript`. Of what items are beside their text (images, large
/// tool outputs) no more than `large_bytes_max` is shown.
std::vector<std::string> snapshot(const Transcript& transcript, const OpenAnswers& answers,
                                  const SessionSettings& settings, std::size_t large_bytes_max,
                                  const EventIds& next_event_id);

/// One item, as the provider answers a conversation.item.create: added and done. What the user
/// spoke is followed by its transcription; without it (`with_words` false) its words are not told.
std::vector<std::string> shown(const Transcript& transcript, const std::string& item_id,
                               const std::string& previous_item_id, bool spoken,
                               const EventIds& next_event_id, bool with_words = true);

}  // namespace verbatim::session
