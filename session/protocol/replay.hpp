// Runs a recorded stream through the code that live sessions use. `verbatim replay` prints the
// result, and the recording tests compare it.
//
// Pure; any thread. Times come from the recording and begin at zero, so the same file always gives
// the same bytes.
#pragma once

#include "session/protocol/provider_dialects.hpp"
#include "session/protocol/recording.hpp"
#include "session/transcript/render/render.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::protocol {

/// Applies every event, of both directions, to `transcript`. Returns the time of the last one.
TimeMs play(const Recording& recording, transcript::Transcript& transcript,
            const ProviderDialect& provider = default_provider_dialect());

/// The finished transcript of a recording.
transcript::TranscriptView replay(const Recording& recording,
                                  const ProviderDialect& provider = default_provider_dialect());

}  // namespace verbatim::protocol
