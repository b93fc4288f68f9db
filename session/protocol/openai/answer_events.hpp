// Writes open answers as the provider's events: the text so far for a returning client, and the end
// of an answer when its connection is lost. Source: the recorded
// streams (tests/recordings).
//
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "session/protocol/openai/announced_answers.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::protocol {

/// Each open answer as it was announced, with its text so far as one delta for each part. The
/// provider's next delta then continues it.
///
/// - `announced`, `transcript`: what the provider announced, and the text.
/// - `spoken`: an answer of unknown form counts as speech.
/// - `next_event_id`: makes the event_ids.
std::vector<std::string> answers_so_far(const AnnouncedAnswers& announced,
                                        const transcript::Transcript& transcript, bool spoken,
                                        const EventIds& next_event_id);

/// All events that end each open answer, in the provider's order. First the end of each open part
/// and of each item (status `incomplete`), then response.done with status `incomplete` and reason
/// `connection_lost`. Parameters as for answers_so_far().
std::vector<std::string> cut_off_answers(const AnnouncedAnswers& announced,
                                         const transcript::Transcript& transcript, bool spoken,
                                         const EventIds& next_event_id);

}  // namespace verbatim::protocol
