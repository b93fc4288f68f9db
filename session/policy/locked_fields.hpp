// Which fields of a session a client may not change, whatever name it gives them, and whether what
// it asks for changes one.
//
// It fails closed: a gateway behind us may be lenient about letters, underscores, shapes and
// positions, so what one of them could take for a locked field counts as that field, and passes
// only where it says what the field says already, in the field's own spelling.
//
// Pure. One thread. Untrusted input; never throws on it. Time grows with the size of the message.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/outline.hpp"

namespace verbatim::session {

/// Whether `path` is `field`, or in it. Both with dots between their parts.
bool covers(std::string_view field, std::string_view path);

class LockedFields {
 public:
  /// By its path in GA's session object, or in beta's.
  void lock(std::string_view field);
  void lock_all() { all_ = true; }
  /// The leaves of a session object in JSON.
  void lock_all_of(const std::string& session_json);

  bool any() const { return all_ || !fields_.empty(); }
  bool all() const { return all_; }
  /// Whether a change of this field, or of something in it, changes what is locked.
  bool touches(std::string_view field) const;
  /// Whether a change of this field is for wrong_in() to judge. `path`: folded.
  bool judges(std::string_view path, bool of_response) const;

  /// The parts of all paths, folded, by every name that a protocol has for them: of
  /// audio.output.voice they are audio, output and voice, of which the last is the field itself.
  struct Part {
    std::string name;
    bool last = false;
  };
  std::vector<Part> parts() const;

  struct Wrong {
    enum class Kind : std::uint8_t { locked, ambiguous };
    Kind kind = Kind::locked;
    std::string path;  ///< in the session object, as the client wrote it
  };
  /// What is wrong with this change; nullopt if nothing is. `change`: an object, a session or
  /// (`of_response`) what one response shall have instead. `has`: what the session has now; asked
  /// for once at most.
  std::optional<Wrong> wrong_in(const json::Outline& message, json::Outline::Index change,
                                bool of_response, const std::function<nlohmann::json()>& has) const;

 private:
  bool all_ = false;
  std::vector<std::string> fields_;  ///< folded
};

}  // namespace verbatim::session
