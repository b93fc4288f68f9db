// The conversation so far, for a returning client whose missed messages are not retained. It is
// written as the provider's own events, as if the client had just connected
// (docs/resume.md).
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "session/protocol/provider_dialect.hpp"
#include "session/protocol/session_settings.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::session {

/// The provider's message that shows the session, as the client may see it.
std::string created_message(const protocol::ProviderDialect& provider,
                            const protocol::SessionSettings& settings, std::string_view event_id);

/// The events of a snapshot, in this order:
/// - the session;
/// - each item, in the conversation's order; after an item that the user spoke, the state of its
///   transcription;
/// - the sent part of an answer under way.
///
/// All text in it is in `transcript`. `large_bytes_max` limits what is shown of items beside their
/// text (images, large tool outputs).
std::vector<std::string> snapshot(const protocol::ProviderDialect& provider,
                                  const transcript::Transcript& transcript,
                                  const protocol::OpenAnswers& answers,
                                  const protocol::SessionSettings& settings,
                                  std::size_t large_bytes_max,
                                  const protocol::EventIds& next_event_id);

}  // namespace verbatim::session
