// Finds keys and tokens in the wrong place: in an id or in a log line. It recognises foreign ones
// by their form, and those of the configuration by their value.
//
// Any thread; calls of add() must not overlap.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "session/protocol/secret_filter.hpp"

namespace verbatim::access {

/// Whether a word of `text` has the form of a key or token: ours (`ek_`, `vk_`), a provider's or a
/// webhook's (`sk-`, `xai-`, `AIza`, `whsec_`), or a JSON Web Token.
bool looks_like_secret(std::string_view text);

/// Replaces each such word by "[hidden]".
std::string without_secrets(std::string text);

/// For the log: hides the secrets in `ours` and everything that looks like one.
Log::Redact redaction_of(std::shared_ptr<const protocol::SecretFilter> ours);

/// Refuses ids, user names and writer names that contain a secret, since they appear in lists, logs
/// and webhooks.
class IdGuard {
 public:
  explicit IdGuard(const config::Settings& settings);

  /// Adds the secrets of reloaded settings.
  void add(const config::Settings& fresh);

  bool admits(std::string_view id) const;

  /// The text of a refusal, after the name of the field.
  static constexpr std::string_view why =
      " looks like a key or a token. Ids appear in lists, logs and webhooks: send credentials in "
      "headers alone.";

 private:
  protocol::SecretFilter ours_;
};

}  // namespace verbatim::access
