// Converts the objects of the beta protocol to GA and back: sessions, responses, items with their
// content, errors. docs/dialects.md lists all of them.
//
// Pure; any thread. Every function returns JSON. Precondition: json::check() accepts the view's
// bytes. A value of an unexpected kind, or already in the target shape, is returned unchanged.
#pragma once

#include <string>
#include <string_view>

#include "base/json/view.hpp"

namespace verbatim::protocol::beta {

// From beta to GA: client events.
std::string ga_session(json::View session);
std::string ga_transcription_session(json::View session);
std::string ga_response(json::View response);  ///< of a response.create
std::string ga_item(json::View item);

// From GA to beta: server events.
std::string beta_session(json::View session);  ///< realtime or transcription
std::string beta_response(json::View response);
std::string beta_item(json::View item);
std::string beta_part(json::View part);
std::string beta_error(json::View error);  ///< `param` becomes the beta name of the field

}  // namespace verbatim::protocol::beta
