// Reads the error code from a provider's error. Pure; any thread.
#pragma once

#include <initializer_list>
#include <string>

#include "base/json/view.hpp"

namespace verbatim::protocol {

/// The first candidate that is a code. A long text, or one with blanks, is the provider's free
/// text, which may repeat speech or contain a key. If there is only such text, the result is
/// "other". Empty if there is nothing.
std::string plain_code(std::initializer_list<json::View> candidates);

/// The reason for a response's end; empty if there is none. Servers put it in different places:
/// - in the details, which may be a string;
/// - in an error within or beside the details, which may be a string too;
/// - in the members that the provider's other interfaces use.
///
/// `outside`: the error beside the response.
std::string reason_of(json::View response, json::View outside);

}  // namespace verbatim::protocol
