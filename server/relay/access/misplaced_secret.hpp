// Keys and tokens where they do not belong: in the place of an id, in a log line. Recognised by
// their form, and ours by their value.
//
// Any thread; add() by one at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "session/protocol/secret_filter.hpp"

namespace verbatim::server {

/// Whether a word of it has the form of a key or token: ours (`ek_`, `vk_`), those of providers and
/// webhooks (`sk-`, `xai-`, `AIza`, `whsec_`), JSON Web Tokens.
bool looks_like_secret(std::string_view text);

/// "[hidden]" in place of each such word.
std::string without_secrets(std::string text);

/// For the log: hides both, ours and what looks like one.
Log::Redact redaction_of(std::shared_ptr<const session::SecretFilter> ours);

/// Ids, users' names and writers stand in lists, logs and webhooks, and are kept.
class IdGuard {
 public:
  explicit IdGuard(const config::Settings& settings);

  /// From now on those of `fresh` settings, too.
  void add(const config::Settings& fresh);

  bool admits(std::string_view id) const;

  /// What a refusal says, after the name of the field.
  static constexpr std::string_view why =
      " holds what looks like a key or a token. Ids stand in lists, logs and webhooks: credentials "
      "are sent in headers alone.";

 private:
  session::SecretFilter ours_;
};

}  // namespace verbatim::server
