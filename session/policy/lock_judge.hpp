// Whether one message of a client changes what is locked, or could be taken for one that does.
//
// It fails closed: where something is locked, each name of a message must be plain, and one that
// the protocol does not have in its place must not be a locked field's, or an envelope's. So a
// member of a later protocol passes, and one that a lenient reader might take for a locked field
// does not, whatever it is wrapped in.
//
// Pure. Any thread. Untrusted input; never throws on it. One walk: time grows with the message.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "session/policy/locked_fields.hpp"
#include "session/policy/locked_words.hpp"
#include "session/policy/policy.hpp"
#include "session/protocol/event_reader.hpp"

namespace verbatim::session {

struct Locks {
  explicit Locks(LockedFields locked) : fields(std::move(locked)), words(fields) {}

  LockedFields fields;
  LockedWords words;
};

/// Precondition: check_client_message() has passed the message. `has`: the session as it is now;
/// asked for only where a field is named.
std::optional<Refusal> refuse_locked(const Locks& locks, std::string_view type,
                                     std::string_view message, MessageLimits limits,
                                     const std::function<nlohmann::json()>& has);

/// The event_id that an answer to this message names; empty if it has none, or a very long one.
std::string named_event_id(std::string_view message);

}  // namespace verbatim::session
