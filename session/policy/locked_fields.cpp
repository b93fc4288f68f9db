#include "session/policy/locked_fields.hpp"

#include <algorithm>
#include <utility>

#include "base/json/plain_name.hpp"
#include "base/json/tree.hpp"
#include "session/policy/outline_values.hpp"

namespace verbatim::policy {
namespace {

using Index = json::Outline::Index;
using json::Kind;

/// Beta's flat names of fields that GA has at another place: a lock holds for both names. Both
/// folded.
constexpr std::pair<std::string_view, std::string_view> beta_names[] = {
    {"voice", "audio.output.voice"},
    {"speed", "audio.output.speed"},
    {"modalities", "outputmodalities"},
    {"inputaudioformat", "audio.input.format"},
    {"outputaudioformat", "audio.output.format"},
    {"inputaudiotranscription", "audio.input.transcription"},
    {"inputaudionoisereduction", "audio.input.noisereduction"},
    {"turndetection", "audio.input.turndetection"},
    {"maxresponseoutputtokens", "maxoutputtokens"},
};

/// Members of a response.create that are not fields of a session.
constexpr std::string_view of_responses_alone[] = {"conversation", "input", "metadata"};

/// Longest path quoted in an answer.
constexpr std::size_t path_bytes_max = 256;

/// A folded path by GA's names. A field that replaces the instructions counts as `instructions`.
std::string canonical(std::string path) {
  for (const auto& [beta, ga] : beta_names)
    if (covers(beta, path)) return std::string(ga) + path.substr(beta.size());
  if (covers("prompt", path)) return "instructions." + path;
  return path;
}

bool is_of_responses_alone(std::string_view fold) {
  return std::find(std::begin(of_responses_alone), std::end(of_responses_alone), fold) !=
         std::end(of_responses_alone);
}

bool is_small_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// Checks one change. Looks only at locked fields and the objects that hold them.
class ChangeCheck {
 public:
  using Wrong = LockedFields::Wrong;
  enum class Relation : std::uint8_t { none, holds, locked };

  ChangeCheck(const json::Outline& message, const std::vector<std::string>& fields, bool all,
              bool of_response, const std::function<Json()>& has)
      : message_(message), fields_(fields), all_(all), of_response_(of_response), ask_(has) {}

  /// Checks an object that holds a locked field. `path`: folded and canonical; `written`: as the
  /// client wrote it. Both end with a dot, or are empty.
  bool holder(Index object, const std::string& path, const std::string& written) {
    for (Index i = json::Outline::first(object); i < message_.end(object); i = message_.end(i)) {
      const std::string name = message_.name(i);
      if (!is_plain_name(name)) return fail(Wrong::Kind::ambiguous, written, name);
      const std::string fold = folded(name);
      if (path.empty() && of_response_ && is_of_responses_alone(fold)) {
        if (fold != name) return fail(Wrong::Kind::ambiguous, written, name);
        continue;
      }
      const std::string field = path.empty() ? canonical(fold) : path + fold;
      const Relation relation = relation_of(field);
      if (relation == Relation::none) continue;
      if (relation == Relation::holds && message_.is(i, Kind::object) && !message_.empty(i)) {
        if (!holder(i, field + '.', written + name + '.')) return false;
      } else if (!says_what_is(i, field, written + name)) {
        return false;
      }
    }
    return true;
  }

  std::optional<Wrong> wrong;

 private:
  Relation relation_of(std::string_view field) const {
    if (all_) return Relation::locked;
    Relation found = Relation::none;
    for (const std::string& one : fields_) {
      if (covers(one, field)) return Relation::locked;
      if (covers(field, one)) found = Relation::holds;
    }
    return found;
  }

  bool fail(Wrong::Kind kind, const std::string& before, std::string_view name) {
    std::string path = (before + std::string(name.substr(0, path_bytes_max)));
    if (path.size() > path_bytes_max) path.resize(path_bytes_max);
    for (char& c : path)
      if (c < ' ' || c > '~') c = '?';
    wrong = Wrong{kind, std::move(path)};
    return false;
  }

  const Json& has() {
    if (!has_) has_ = ask_();
    return *has_;
  }

  static bool has_in_other_letters(const Json* object, const std::string& name) {
    if (object == nullptr || !object->is_object()) return false;
    const std::string fold = folded(name);
    for (auto one = object->begin(); one != object->end(); ++one)
      if (folded(one.key()) == fold) return true;
    return false;
  }

  /// True if a locked field, or one that replaces it, is set to its present value.
  bool says_what_is(Index value, const std::string& field, const std::string& written) {
    static const Json realtime = "realtime";
    const std::size_t dot = written.rfind('.');
    const Json* around = value_at(has(), written.substr(0, dot == written.npos ? 0 : dot));
    const std::string name = dot == written.npos ? written : written.substr(dot + 1);
    const Json* now = around == nullptr ? nullptr : member_of(*around, name);
    if (now == nullptr && written == "type") now = &realtime;
    // A field that the session does not have may stay unset, if the client uses its own name.
    const bool own = is_small_name(name) && !has_in_other_letters(around, name) &&
                     (folded(written) == field || covers("prompt", written));
    return compare(value, now, own, written);
  }

  /// An update changes only the members that it names; other members may exist.
  bool compare(Index value, const Json* now, bool own, const std::string& written) {
    if (!message_.is(value, Kind::object) || message_.empty(value)) {
      const bool same = now != nullptr ? equal(message_, value, *now) || says_nothing(value, *now)
                                       : own && message_.is(value, Kind::null);
      return same || fail(Wrong::Kind::locked, written, {});
    }
    for (Index i = json::Outline::first(value); i < message_.end(value); i = message_.end(i)) {
      const std::string name = message_.name(i);
      const Json* there = now == nullptr ? nullptr : member_of(*now, name);
      const bool own_name =
          own && (there != nullptr || (is_small_name(name) && !has_in_other_letters(now, name)));
      std::string path = written;
      if (path.size() < path_bytes_max) path.append(".").append(name, 0, path_bytes_max);
      if (!compare(i, there, own_name, path)) return false;
    }
    return true;
  }

  bool says_nothing(Index value, const Json& now) const {
    return message_.is(value, Kind::object) && message_.empty(value) && now.is_object();
  }

  const json::Outline& message_;
  const std::vector<std::string>& fields_;
  const bool all_;
  const bool of_response_;
  const std::function<Json()>& ask_;
  std::optional<Json> has_;
};

/// Paths of all leaves of an object; an empty object counts as a leaf.
void leaves(const Json& object, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object() && !value.empty()) {
      leaves(value, path + name + '.', out);
    } else {
      out.push_back(path + name);
    }
  }
}

}  // namespace

bool covers(std::string_view field, std::string_view path) {
  return path == field ||
         (path.size() > field.size() && path.starts_with(field) && path[field.size()] == '.');
}

void LockedFields::lock(std::string_view field) { fields_.push_back(canonical(folded(field))); }

void LockedFields::lock_all_of(const std::string& session_json) {
  const Json session = Json::parse(session_json, nullptr, false);
  if (!session.is_object()) return;
  std::vector<std::string> paths;
  leaves(session, {}, paths);
  for (const std::string& path : paths) {
    if (path != "type") lock(path);
  }
}

bool LockedFields::touches(std::string_view field) const {
  if (all_) return true;
  const std::string asked = canonical(folded(field));
  return std::any_of(fields_.begin(), fields_.end(), [&asked](const std::string& locked) {
    return covers(locked, asked) || covers(asked, locked);
  });
}

bool LockedFields::judges(std::string_view path, bool of_response) const {
  if (of_response && is_of_responses_alone(path.substr(0, path.find('.')))) return false;
  const std::string field = canonical(std::string(path));
  return all_ || std::any_of(fields_.begin(), fields_.end(),
                             [&field](const std::string& locked) { return covers(locked, field); });
}

std::vector<LockedFields::Part> LockedFields::parts() const {
  std::vector<Part> out;
  for (const std::string& field : fields_) {
    for (std::string_view rest = field; !rest.empty();) {
      const std::string_view name = rest.substr(0, rest.find('.'));
      rest.remove_prefix(std::min(rest.size(), name.size() + 1));
      out.push_back({std::string(name), rest.empty()});
    }
    for (const auto& [beta, ga] : beta_names)
      if (covers(ga, field)) out.push_back({std::string(beta), true});
  }
  return out;
}

std::optional<LockedFields::Wrong> LockedFields::wrong_in(const json::Outline& message,
                                                          json::Outline::Index change,
                                                          bool of_response,
                                                          const std::function<Json()>& has) const {
  ChangeCheck check(message, fields_, all_, of_response, has);
  check.holder(change, {}, {});
  return std::move(check.wrong);
}

}  // namespace verbatim::policy
