// The providers' dialects, by name. Constant; any thread.
#pragma once

#include <string_view>

#include "session/protocol/provider_dialect.hpp"

namespace verbatim::protocol {

/// nullptr if there is none of this name.
const ProviderDialect* provider_dialect(std::string_view name);

/// The first of the table.
const ProviderDialect& default_provider_dialect();

}  // namespace verbatim::protocol
