// The URL and the headers of an upstream connection to OpenAI's Realtime API. Pure; any thread.
#pragma once

#include "session/protocol/provider_dialect.hpp"

namespace verbatim::protocol {

/// The query names the model, or the intent of a transcription session, unless the address does.
DialRequest dial_request(const DialWish& wish);

}  // namespace verbatim::protocol
