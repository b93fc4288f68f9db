// Answers under way, written as the provider writes them: told so far to a client that comes back,
// and ended in the provider's place when its connection is lost. Source: protocol notes, section 5,
// and the recorded streams.
//
// Pure; any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "session/protocol/open_answers.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::session {

/// Makes the event_id of each of the relay's own events.
using EventIds = std::function<std::string()>;

/// Each answer under way as it was announced, and its words so far as one delta a part, so that
/// what the provider says next continues it. `spoken`: an answer of which nobody said in what form
/// it comes is speech.
std::vector<std::string> answers_so_far(const OpenAnswers& announced, const Transcript& transcript,
                                        bool spoken, const EventIds& next_event_id);

/// The end of each answer under way, all that the provider sends and in its order: of each part
/// that is open, of each item (status `incomplete`), and response.done with status `incomplete`,
/// reason `connection_lost`.
std::vector<std::string> cut_off_answers(const OpenAnswers& announced, const Transcript& transcript,
                                         bool spoken, const EventIds& next_event_id);

}  // namespace verbatim::session
