// Clients of OpenAI's beta protocol, from before general availability (GA). docs/dialects.md
// describes the differences.
#pragma once

#include "session/protocol/client_dialect.hpp"

namespace verbatim::protocol {

const ClientDialect& beta_dialect();

}  // namespace verbatim::protocol
