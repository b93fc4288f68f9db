// The latest `session` object of the provider. A new upstream connection continues with it.
//
// It also knows whether the client has switched input transcription off. The relay keeps it on for
// the transcript, and hides it from such a client. Protocol notes, section 2.
//
// Pure value; one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace verbatim::session {

class SessionSettings {
 public:
  SessionSettings() = default;
  /// `json`: the output of to_json(), or a bare session object as earlier versions stored it. Any
  /// other text gives empty settings.
  static SessionSettings from_json(std::string json);

  /// Takes the `session` of a session.created or session.updated.
  void see(std::string_view message);

  bool empty() const { return json_.empty(); }
  std::string to_json() const;

  /// The client or its token has switched input transcription off (true) or on (false).
  void hide_transcription(bool hide) { hides_transcription_ = hide; }
  bool hides_transcription() const { return hides_transcription_.value_or(false); }
  /// Neither the client nor its token has set input transcription.
  bool leaves_transcription_open() const { return !hides_transcription_.has_value(); }
  /// A message with a `session` as the client may see it: hidden transcription reads null. nullopt:
  /// the message may pass unchanged.
  std::optional<std::string> without_transcription(std::string_view message) const;

  /// session.created for a returning client.
  std::string created_message(std::string_view event_id) const;
  /// A session.update that gives another session the same settings, without those that only the
  /// provider sets. Empty if no session was seen.
  std::string update_message(std::string_view event_id) const;

  /// The session only transcribes speech: its type is `transcription`.
  bool transcribes() const;
  /// The provider detects the end of utterances itself.
  bool detects_turns() const;
  /// The provider detects the end of utterances and answers without a request.
  bool answers_by_itself() const;
  /// Answers are spoken, not written.
  bool speaks() const;

 private:
  std::string json_;
  std::optional<bool> hides_transcription_;
};

}  // namespace verbatim::session
