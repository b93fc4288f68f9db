// The provider's `session` object as it was last seen: what the conversation is carried on with
// when the connection changes. Protocol notes, section 2.
//
// Pure value; one thread at a time.
#pragma once

#include <string>
#include <string_view>

namespace verbatim::session {

class SessionSettings {
 public:
  SessionSettings() = default;
  /// `json`: a session object, as to_json() gave it; anything else counts as nothing seen.
  static SessionSettings from_json(std::string json);

  /// Takes the `session` of a session.created or session.updated.
  void see(std::string_view message);

  bool empty() const { return json_.empty(); }
  const std::string& to_json() const { return json_; }

  /// session.created, as a client that comes back gets it.
  std::string created_message(std::string_view event_id) const;
  /// session.update that gives another session the same settings, less what only the provider
  /// sets. Empty if nothing was seen.
  std::string update_message(std::string_view event_id) const;

  /// The provider finds the ends of utterances by itself.
  bool detects_turns() const;
  /// ... and answers them without being asked to.
  bool answers_by_itself() const;
  /// Answers are spoken, not written.
  bool speaks() const;

 private:
  std::string json_;
};

}  // namespace verbatim::session
