// The meaning of OpenAI's errors and closes for the relay. Pure; any thread.
// provider_dialect.hpp describes each function.
#pragma once

#include <cstdint>
#include <string_view>

#include "session/protocol/provider_dialect.hpp"

namespace verbatim::protocol {

ErrorMeaning error_meaning(const transcript::ProviderError& error);
ErrorAnswer error_answer(std::string_view error_message);
bool is_session_limit(std::uint16_t close_code, std::string_view reason);

}  // namespace verbatim::protocol
