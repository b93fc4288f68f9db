// Finds the recorded audio of an attempt, for the calls that give it. If there is none, the result
// is the answer to send.
#pragma once

#include <optional>
#include <string>

#include "server/api/api_parts.hpp"
#include "server/api/request_context.hpp"
#include "server/net/async.hpp"
#include "server/net/result.hpp"
#include "server/relay/recordings.hpp"
#include "storage/store/recording_store.hpp"

namespace verbatim::api::handlers {

/// 404.
net::HttpResponse no_recording(const std::string& why);
/// 503.
net::HttpResponse too_many_exports();

/// An attempt that is final and of which something was recorded. `attempt`: default is the latest.
net::Awaitable<net::Result<store::RecordedAttempt>> find_recorded_attempt(
    const ApiServices& api, const RequestContext& context, std::optional<int> attempt,
    const char* call_name);

/// Its audio, as far as it is wanted and still there.
net::Awaitable<net::Result<relay::RecordedAudio>> find_audio(const ApiServices& api,
                                                             const RequestContext& context,
                                                             const store::RecordedAttempt& attempt,
                                                             relay::AudioExport wanted);

}  // namespace verbatim::api::handlers
