// HTTP versions that Beast's parser does not know: it knows only 1.0 and 1.1.
//
// Pure; any thread. The input is untrusted.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace verbatim::net {

enum class FirstLine { request, response };

/// Turns a later minor version into 1.1, in place: its sender must accept 1.1 as well (RFC 9110,
/// section 2.5). `bytes` begin with the first line, which may be incomplete.
void lower_minor_version(std::span<char> bytes, FirstLine kind);

/// Whether the request line names a later major version. The answer to it is 505.
bool names_later_major_version(std::string_view bytes);

}  // namespace verbatim::net
