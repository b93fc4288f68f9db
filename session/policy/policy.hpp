// What a client may do with its session: which events it may send, which fields of the session it
// may not change, and which it does not get to see. Nothing is forbidden unless somebody said so.
//
// Pure. Owned by a RealtimeSession, one thread. Untrusted input; never throws on it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/protocol/event_reader.hpp"

namespace verbatim::session {

struct Locks;

/// Of a message that is held against what is locked.
struct MessageLimits {
  std::size_t values_max = 50'000;  ///< members and elements, at all depths together
  std::size_t depth_max = 64;       ///< at most json::max_depth
};

/// Fields are named by their path in the session object, as GA has it: `instructions`, `tools`,
/// `audio.output.voice`. A field stands for all that is inside of it.
struct PolicyRules {
  std::vector<std::string> client_events;  ///< empty: all of the protocol's
  std::vector<std::string> locked;         ///< fields; `bound`: those that the token sets; `all`
  std::vector<std::string> hidden;         ///< fields
  MessageLimits message_limits;
};

/// The names of fields that may be asked for: letters, digits and _, parted by dots.
bool is_field_path(std::string_view path);

class Policy {
 public:
  Policy() = default;
  /// `bound_json` and `model`: the session as the token sets it; either may be empty.
  Policy(PolicyRules rules, std::string bound_json, std::string model);

  /// How many values a message may have: as many as it likes, unless something is locked.
  std::size_t values_max() const { return locked_ ? rules_.message_limits.values_max : unlimited; }
  /// Whether this message may be sent on. Precondition: check_client_message() has passed it.
  std::optional<Refusal> refuse(std::string_view type, std::string_view message) const;

  /// A session.created or .updated: what a field that is not bound has now. Other types: nothing.
  void configured(std::string_view type, std::string_view message);
  /// The message with the hidden fields taken out; nullopt if it may pass as it is.
  std::optional<std::string> without_hidden(std::string_view type, std::string_view message) const;

 private:
  PolicyRules rules_;
  std::shared_ptr<const Locks> locked_;  ///< null: nothing is
  std::string bound_json_;
  std::string current_json_;  ///< the session object that the provider showed last
};

}  // namespace verbatim::session
