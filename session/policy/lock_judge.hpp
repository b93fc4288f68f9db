// Decides whether a client message changes a locked field, or could be read as one that does.
//
// It fails closed. With a lock, every name in a message must be plain. A name that the protocol
// lacks at that place must not resemble a locked field or an envelope. So members of a later
// protocol pass. Names that a lenient reader could take for a locked field do not, at any depth.
//
// Pure; any thread. Untrusted input: never throws on it. One pass: time grows with the message.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/tree_fwd.hpp"
#include "session/policy/locked_fields.hpp"
#include "session/policy/locked_words.hpp"
#include "session/policy/policy.hpp"
#include "session/protocol/known_places.hpp"
#include "session/protocol/refusal.hpp"

namespace verbatim::policy {

struct Locks {
  Locks(LockedFields locked, const protocol::KnownPlaces& known)
      : places(known), fields(std::move(locked)), words(fields, places.session) {}

  const protocol::KnownPlaces& places;  ///< of the protocol
  LockedFields fields;
  LockedWords words;
};

/// Returns the refusal, or nullopt. Precondition: ProviderDialect::check_client() has accepted the
/// message.
///
/// - `locks`: the locked fields and words, and the places of the protocol.
/// - `type`: the type of the event.
/// - `limits`: values and depth that a message may have.
/// - `has`: returns the present session; called only if the message names a field.
std::optional<protocol::Refusal> refuse_locked(const Locks& locks, std::string_view type,
                                               std::string_view message, MessageLimits limits,
                                               const std::function<Json()>& has);

}  // namespace verbatim::policy
