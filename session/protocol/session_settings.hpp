// The provider's `session` object as it was last seen: what the conversation is carried on with
// when the connection changes. With it goes whether the client has switched input transcription
// off: the relay has it on all the same, and such a client is not to see it. Protocol notes,
// section 2.
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
  /// `json`: what to_json() gave, or a bare session object (as earlier versions stored it);
  /// anything else counts as nothing seen.
  static SessionSettings from_json(std::string json);

  /// Takes the `session` of a session.created or session.updated.
  void see(std::string_view message);

  bool empty() const { return json_.empty(); }
  std::string to_json() const;

  /// The client, or its token, has said of input transcription that it wants none, or some.
  void hide_transcription(bool hide) { hides_transcription_ = hide; }
  bool hides_transcription() const { return hides_transcription_.value_or(false); }
  /// Neither has said anything.
  bool leaves_transcription_open() const { return !hides_transcription_.has_value(); }
  /// A message with a `session`, as a client may see it: transcription reads null if it is hidden.
  /// nullopt: the message may pass as it is.
  std::optional<std::string> without_transcription(std::string_view message) const;

  /// session.created, as a client that comes back gets it.
  std::string created_message(std::string_view event_id) const;
  /// session.update that gives another session the same settings, less what only the provider
  /// sets. Empty if nothing was seen.
  std::string update_message(std::string_view event_id) const;

  /// Speech is transcribed and nobody answers: the session is of type `transcription`.
  bool transcribes() const;
  /// The provider finds the ends of utterances by itself.
  bool detects_turns() const;
  /// ... and answers them without being asked to.
  bool answers_by_itself() const;
  /// Answers are spoken, not written.
  bool speaks() const;

 private:
  std::string json_;
  std::optional<bool> hides_transcription_;
};

}  // namespace verbatim::session
