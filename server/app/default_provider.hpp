// The provider that the relay uses if only a key is configured.
#pragma once

namespace verbatim::app {

inline constexpr const char* openai_url = "wss://api.openai.com/v1/realtime";

}  // namespace verbatim::app
