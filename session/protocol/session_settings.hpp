// The latest `session` object of the provider. A new upstream connection continues with it.
//
// It also knows whether the client has switched input transcription off. The relay keeps it on for
// the transcript, and hides it from such a client. ProviderDialect::read_session() reads the
// object.
//
// Pure value; one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "session/protocol/provider_dialects.hpp"

namespace verbatim::protocol {

class SessionSettings {
 public:
  SessionSettings() = default;
  /// `json`: the output of to_json(), or a bare session object as earlier versions stored it. Any
  /// other text gives empty settings.
  static SessionSettings from_json(std::string json);

  /// Takes the session object of a message that shows it; ignores what is not an object.
  void see(std::string_view session_json);

  bool empty() const { return json_.empty(); }
  /// The session object; empty if none was seen.
  const std::string& session_json() const { return json_; }
  std::string to_json() const;

  /// The client or its token has switched input transcription off (true) or on (false).
  void hide_transcription(bool hide) {
    changed_ = changed_ || hides_transcription_ != hide;
    hides_transcription_ = hide;
  }
  bool hides_transcription() const { return hides_transcription_.value_or(false); }
  /// to_json() is not what was_recorded() last saw.
  bool unrecorded() const { return changed_ && !empty(); }
  void was_recorded() { changed_ = false; }
  void changed() { changed_ = true; }
  /// Neither the client nor its token has set input transcription.
  bool leaves_transcription_open() const { return !hides_transcription_.has_value(); }
  /// A message with a `session` as the client may see it: hidden transcription reads null. nullopt:
  /// the message may pass unchanged.
  std::optional<std::string> without_transcription(
      std::string_view message,
      const ProviderDialect& provider = default_provider_dialect()) const {
    return hides_transcription() ? provider.without_transcription(message) : std::nullopt;
  }

 private:
  std::string json_;
  std::optional<bool> hides_transcription_;
  bool changed_ = false;
};

}  // namespace verbatim::protocol
