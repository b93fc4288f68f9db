// The session fields that a client may not change, under any name, and the check of a change
// against them.
//
// It fails closed. A gateway behind the relay may be lenient about case, underscores, shapes and
// places. So every name that it could read as a locked field counts as that field. It passes only
// with the field's present value and in the field's own spelling.
//
// Pure. One thread. Untrusted input: never throws on it. Time grows with the size of the message.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/outline.hpp"
#include "base/json/tree_fwd.hpp"

namespace verbatim::policy {

/// True if `path` is `field` or lies in it. Both have dots between their parts.
bool covers(std::string_view field, std::string_view path);

class LockedFields {
 public:
  /// `field`: its path in the session object of GA or beta.
  void lock(std::string_view field);
  void lock_all() { all_ = true; }
  /// Locks the leaves of a session object in JSON.
  void lock_all_of(const std::string& session_json);

  bool any() const { return all_ || !fields_.empty(); }
  bool all() const { return all_; }
  /// True if a change of this field, or inside it, changes a locked field.
  bool touches(std::string_view field) const;
  /// True if wrong_in() must check a change of this field. `path`: folded
  /// (base/json/plain_name.hpp).
  bool judges(std::string_view path, bool of_response) const;

  /// The parts of all locked paths, folded, by every name that a protocol has for them. For
  /// audio.output.voice they are audio, output and voice; the last is the field itself.
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
  /// The first error in a change; nullopt if it is allowed.
  /// - `change`: an object in `message`: a session, or (`of_response`) the settings of one
  ///   response.
  /// - `has`: returns the present session; called once at most.
  std::optional<Wrong> wrong_in(const json::Outline& message, json::Outline::Index change,
                                bool of_response, const std::function<Json()>& has) const;

 private:
  bool all_ = false;
  std::vector<std::string> fields_;  ///< folded
};

}  // namespace verbatim::policy
