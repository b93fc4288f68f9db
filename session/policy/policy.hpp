// Restrictions of a client: the events that it may send, the session fields that it may not change,
// and those that it may not see. Without configured rules, everything is allowed.
//
// Pure. Owned by a RealtimeSession, one thread. Untrusted input: never throws on it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/outline_limits.hpp"
#include "session/protocol/provider_dialects.hpp"
#include "session/protocol/refusal.hpp"

namespace verbatim::policy {

struct Locks;

/// Limits on a message that is checked against locks.
using MessageLimits = OutlineLimits;

/// Fields are named by their path in GA's session object: `instructions`, `tools`,
/// `audio.output.voice`. A field stands for everything inside it.
struct PolicyRules {
  std::vector<std::string> client_events;  ///< allowed event types; empty: all of the protocol's
  std::vector<std::string> locked;         ///< fields; `bound`: those that the token sets; `all`
  std::vector<std::string> hidden;         ///< fields
  MessageLimits message_limits;
};

/// True if `path` can name a field: letters, digits and _, separated by dots.
bool is_field_path(std::string_view path);

class Policy {
 public:
  Policy() = default;
  /// - `bound_json`, `model`: the session as the token sets it; either may be empty.
  /// - `provider`: the protocol of the messages.
  Policy(PolicyRules rules, std::string bound_json, std::string model,
         const protocol::ProviderDialect& provider = protocol::default_provider_dialect());

  /// Most values that a message may have; no limit unless a field is locked.
  std::size_t values_max() const {
    return locked_ ? rules_.message_limits.values_max : protocol::unlimited;
  }
  /// Returns the refusal, or nullopt if the message may be sent on. Precondition:
  /// ProviderDialect::check_client() has accepted it.
  std::optional<protocol::Refusal> refuse(std::string_view type, std::string_view message) const;

  /// Takes the present values of fields from a message that shows the session; ignores others.
  void configured(std::string_view type, std::string_view message);
  /// The message without its hidden fields; nullopt if it has none and may pass unchanged.
  std::optional<std::string> without_hidden(std::string_view type, std::string_view message) const;

 private:
  const protocol::ProviderDialect* provider_ = &protocol::default_provider_dialect();
  PolicyRules rules_;
  std::shared_ptr<const Locks> locked_;  ///< null: nothing is locked
  std::string bound_json_;
  std::string current_json_;  ///< the session object that the provider showed last
};

}  // namespace verbatim::policy
