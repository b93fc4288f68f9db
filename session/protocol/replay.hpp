// A recorded stream through the same code as a live one: what `verbatim replay` prints, and what
// the tests of the recordings compare.
//
// Pure; any thread. Times come from the recording (its beginning is time zero), so that the same
// file gives the same bytes every time.
#pragma once

#include "session/protocol/recording.hpp"
#include "session/transcript/render/render.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::session {

/// Feeds every event, both directions, to `transcript`. Returns the time of the last one.
TimeMs play(const Recording& recording, Transcript& transcript);

/// The finished transcript of a recording.
TranscriptView replay(const Recording& recording);

}  // namespace verbatim::session
