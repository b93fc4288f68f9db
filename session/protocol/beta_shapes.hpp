// The objects of the beta protocol and those of GA, turned into each other: sessions, responses,
// items and their content, errors. Source: protocol notes, sections 2, 6 and 10; all of it is in
// docs/dialects.md.
//
// Pure; any thread. Every function returns JSON. Precondition: json::check() accepts what the view
// looks at. What is not of the expected kind is returned as it stands, and so is what is in the
// wanted shape already.
#pragma once

#include <string>
#include <string_view>

#include "base/json/view.hpp"

namespace verbatim::session::beta {

// From beta to GA: what a client says.
std::string ga_session(json::View session);
std::string ga_transcription_session(json::View session);
std::string ga_response(json::View response);  ///< of a response.create
std::string ga_item(json::View item);

// From GA to beta: what a client gets.
std::string beta_session(json::View session);  ///< of either kind
std::string beta_response(json::View response);
std::string beta_item(json::View item);
std::string beta_part(json::View part);
std::string beta_error(json::View error);  ///< `param` names the field as the client knows it

}  // namespace verbatim::session::beta
