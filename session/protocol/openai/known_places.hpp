// The members of client messages in OpenAI's Realtime protocol, GA and beta. Constant tables; any
// thread.
#pragma once

#include "session/protocol/known_places.hpp"

namespace verbatim::protocol::openai {

extern const KnownPlaces known_places;

}  // namespace verbatim::protocol::openai
