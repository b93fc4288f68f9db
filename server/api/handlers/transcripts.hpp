// Handlers of transcripts.cpp that others call.
#pragma once

#include "server/api/handler.hpp"

namespace verbatim::api::handlers {

Handler post_transcript;

}  // namespace verbatim::api::handlers
