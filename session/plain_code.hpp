// The codes in what a provider says of an error. Pure; any thread.
#pragma once

#include <initializer_list>
#include <string>

#include "session/json_view.hpp"

namespace verbatim::session {

/// The first that is there, as a code: what has blanks or is long is the provider's free text,
/// which may repeat what was said or carry a key, and is called "other". Empty if none is there.
std::string plain_code(std::initializer_list<json::View> candidates);

}  // namespace verbatim::session
