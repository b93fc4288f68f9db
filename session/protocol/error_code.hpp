// The codes in what a provider says of an error. Pure; any thread.
#pragma once

#include <initializer_list>
#include <string>

#include "base/json/view.hpp"

namespace verbatim::session {

/// The first that is a code. What has blanks or is long is the provider's free text, which may
/// repeat what was said or carry a key: if there is nothing else it is called "other". Empty if
/// none is there.
std::string plain_code(std::initializer_list<json::View> candidates);

/// Why a response ended so; empty if nothing says it. Servers say it in the details, which some
/// make a string, in the error within them or beside them, which may be a string too, or as other
/// interfaces of the provider do. `outside`: the error beside the response.
std::string reason_of(json::View response, json::View outside);

}  // namespace verbatim::session
