// Versions of HTTP that the parser does not know (Beast knows 1.0 and 1.1 alone).
//
// Pure; any thread. Untrusted input.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace verbatim::server {

enum class FirstLine { request, response };

/// A later minor version is read as 1.1: whoever speaks it keeps to what that says, too (RFC 9110,
/// 2.5). Changes the digit in place, as soon as it has come; `bytes` begin with the first line.
void lower_minor_version(std::span<char> bytes, FirstLine kind);

/// Whether a request line names a version with a larger major number: 505.
bool names_later_major_version(std::string_view bytes);

}  // namespace verbatim::server
