// Handlers of sessions.cpp that others call.
#pragma once

#include "server/api/handler.hpp"

namespace verbatim::api::handlers {

/// Also sets the context's id to the session's.
Handler create_session;
Handler show_session;

}  // namespace verbatim::api::handlers
