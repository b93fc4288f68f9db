// The tokens of an answer, by kind, from the provider's usage object. Pure; any thread.
#pragma once

#include <string_view>

#include "server/traces/span.hpp"

namespace verbatim::traces {

/// `usage`: JSON as it came; may be empty or anything. Adds the counts that it has.
void add_usage(Span& span, std::string_view usage);

}  // namespace verbatim::traces
