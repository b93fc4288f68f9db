// The members that a message may have in every protocol: its type and its event_id. The relay's own
// verbatim.* events have them too.
//
// Pure functions; any thread; no state. Untrusted input: never throws, never reads outside
// `message`.
#pragma once

#include <string>
#include <string_view>

namespace verbatim::protocol {

/// The message's top-level "type", as a view into `message`. Scans the top level and skips values
/// without building anything; with `type` first, a 6.4 kB audio event costs nanoseconds. Empty in
/// these cases:
/// - there is no type before the message stops being a JSON object;
/// - a key before it is written with escapes;
/// - the value is not a plain string.
std::string_view peek_type(std::string_view message);

/// The event_id that an answer to this message quotes; empty if it has none or a very long one. The
/// message need not be valid JSON.
std::string named_event_id(std::string_view message);

/// An event_id that has been read already, as an answer quotes it.
std::string quotable_event_id(std::string event_id);

}  // namespace verbatim::protocol
