#include "server/api/requests/posted_turn.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/ascii.hpp"
#include "base/enum_names.hpp"
#include "base/json/tree.hpp"
#include "server/api/requests/posted_time.hpp"

namespace verbatim::requests {

namespace {

using transcript::Role;

/// Names of the two sides with agents, browsers and their frameworks.
constexpr Name<Role> speakers[] = {
    {Role::user, "user"},       {Role::assistant, "assistant"}, {Role::user, "human"},
    {Role::assistant, "agent"}, {Role::assistant, "ai"},        {Role::assistant, "model"},
    {Role::assistant, "bot"},
};
/// Entries between turns in their histories.
constexpr std::string_view other_roles[] = {"system", "developer", "tool", "function"};

/// States of a message with the provider and others, beside our own names.
constexpr Name<transcript::TurnStatus> statuses[] = {
    {transcript::TurnStatus::interrupted, "incomplete"},
    {transcript::TurnStatus::cancelled, "canceled"},
    {transcript::TurnStatus::completed, "complete"},
};

constexpr std::size_t name_length_max = 128;
constexpr int number_max = 1'000'000'000;

/// Quotes client input for an error message: short, and printable only.
std::string quoted(const std::string& text) {
  constexpr std::size_t shown_max = 32;
  std::string shown = "'";
  for (const char c : text.substr(0, shown_max)) shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + (text.size() > shown_max ? "...'" : "'");
}

std::string type_of(const Json& given) {
  const Json* const type = member(given, {"type"});
  return type && type->is_string() ? lower_case(type->get<std::string>()) : std::string();
}

/// The words of a turn's content: a string, a part of text or of audio with its transcript, a list
/// of such, or lists in lists.
class Words {
 public:
  explicit Words(const Json& content) { add(content, 0); }

  const std::optional<std::string>& all() const { return all_; }
  /// Whether the content has a part of unknown kind, which may hold words that were not read.
  bool lacks_some() const { return lacks_some_; }

 private:
  static constexpr int depth_max = 16;

  void add(const Json& given, int depth) {
    if (given.is_string()) return append(given.get_ref<const std::string&>());
    if (given.is_null()) return;
    if (depth == depth_max || !given.is_structured()) {
      lacks_some_ = true;
    } else if (given.is_array()) {
      for (const Json& part : given) add(part, depth + 1);
    } else if (!is_without_words(given)) {
      add_part(given, depth + 1);
    }
  }

  void add_part(const Json& part, int depth) {
    const Json* words = nullptr;
    for (const char* name : {"text", "transcript", "refusal", "content", "value"}) {
      const Json* const found = member(part, {name});
      if (found != nullptr && (words == nullptr || is_empty_text(*words))) words = found;
    }
    if (words != nullptr) {
      add(*words, depth);
    } else if (!part.empty() && type_of(part).find("audio") == std::string::npos) {
      lacks_some_ = true;
    }
  }

  static bool is_empty_text(const Json& words) {
    return words.is_string() && words.get_ref<const std::string&>().empty();
  }
  /// Pictures, files and tools have no text.
  static bool is_without_words(const Json& part) {
    const std::string type = type_of(part);
    return std::any_of(std::begin(silent_), std::end(silent_),
                       [&type](const char* name) { return type.find(name) != std::string::npos; });
  }

  void append(const std::string& words) {
    if (all_) {
      *all_ += '\n' + words;
    } else {
      all_ = words;
    }
  }

  static constexpr const char* silent_[] = {"image", "video", "file", "tool", "function"};
  std::optional<std::string> all_;
  bool lacks_some_ = false;
};

class Reader {
 public:
  Reader(const Json& given, const config::Posts& limits) : given_(given), limits_(limits) {}

  PostedTurn run() {
    if (!given_.is_object()) return drop(Outcome::unreadable, "It is not an object.");
    if (read_role() && read_text()) read_the_rest();
    return std::move(read_);
  }

 private:
  using Outcome = PostedTurn::Outcome;

  PostedTurn drop(Outcome outcome, std::string why) {
    read_.outcome = outcome;
    read_.problems = {std::move(why)};
    return read_;
  }
  void leave_out(const std::string& what, const char* why) {
    read_.problems.push_back(what + " was left out: " + why);
  }

  bool read_role() {
    const std::string type = type_of(given_);
    if (!type.empty() && type != "message" && !member(given_, {"role"})) {
      drop(Outcome::not_a_turn, "It is not a message: type " + quoted(type) + ".");
      return false;
    }
    const Json* const role = member(given_, {"role"});
    const std::string name = role && role->is_string() ? lower_case(role->get<std::string>()) : "";
    if (const auto known = value_of(name, speakers)) {
      read_.turn.role = *known;
      return true;
    }
    if (std::find(std::begin(other_roles), std::end(other_roles), name) != std::end(other_roles)) {
      drop(Outcome::not_a_turn, "A message of role " + quoted(name) + " is not a turn.");
    } else {
      drop(Outcome::unreadable,
           role ? "role must be user or assistant." : "role is missing: user or assistant.");
    }
    return false;
  }

  /// The words of the first field that has any. Another field with other words is reported.
  std::optional<std::string> read_words() {
    std::optional<std::string> chosen;
    for (const char* name : {"text", "content", "transcript", "audio"}) {
      const Json* const field = member(given_, {name});
      if (!field) continue;
      Words words(*field);
      const auto& all = words.all();
      const bool has_some = all && !all->empty();
      if (has_some && chosen && !chosen->empty() && *chosen != *all)
        leave_out(name, "another field has the turn's text.");
      if (words.lacks_some()) leave_out(std::string("a part of ") + name, "it has no text.");
      if (all && (!chosen || chosen->empty())) chosen = all;
    }
    return chosen;
  }

  bool read_text() {
    std::optional<std::string> words = read_words();
    const bool said = member(given_, {"text", "content", "transcript"}) != nullptr;
    const bool calls = member(given_, {"tool_calls", "function_call"}) != nullptr;
    if (calls && (!words || words->empty())) {
      drop(Outcome::not_a_turn, "It has tool calls and no text.");
      return false;
    }
    if (!words) {
      drop(Outcome::unreadable,
           said ? "text must be a string, or a list of parts that have text." : "text is missing.");
      return false;
    }
    if (words->size() > limits_.turn_bytes_max) {
      drop(Outcome::too_large, "text has more than " + std::to_string(limits_.turn_bytes_max) +
                                   " bytes (posts.turn_bytes_max).");
      return false;
    }
    read_.turn.text = Text::from_wtf8(std::move(*words));
    return true;
  }

  void read_the_rest() {
    read_id();
    read_status();
    read_.turn.ordinal = number({"ordinal", "turnOrder", "turn_order"}, 0);
    read_.attempt = number({"attemptNumber", "attempt_number"}, 1);
    auto& from = read_.turn.started_at;
    auto& to = read_.turn.ended_at;
    from = time({"started_at", "startedAt", "created_at", "createdAt", "timestamp"});
    to = time({"ended_at", "endedAt"});
    if (from && to && *to < *from) {
      leave_out("ended_at", "it is before started_at.");
      to.reset();
    }
  }

  void read_id() {
    // Only the provider's form of a message has its id in `id`. Elsewhere that may be the id of a
    // database row.
    const bool is_item = type_of(given_) == "message";
    const Json* id = member(given_, {"item_id", "itemId"});
    if (!id && is_item) id = member(given_, {"id"});
    if (!id) return;
    std::string name = id->is_string()           ? id->get<std::string>()
                       : id->is_number_integer() ? id->dump()
                                                 : std::string();
    if (id->is_string() ? name.size() > name_length_max : name.empty())
      return leave_out("item_id", "it must be a string of at most 128 bytes.");
    read_.turn.item_id = std::move(name);
  }

  void read_status() {
    const Json* const interrupted = member(given_, {"interrupted"});
    if (interrupted && interrupted->is_boolean() && interrupted->get<bool>())
      read_.turn.status = transcript::TurnStatus::interrupted;
    const Json* const status = member(given_, {"status"});
    if (!status || (status->is_string() && status->get_ref<const std::string&>().empty())) return;
    const std::string name = status->is_string() ? lower_case(status->get<std::string>()) : "";
    auto meant = transcript::turn_status_from_string(name);
    if (!meant) meant = value_of(name, statuses);
    if (!meant)
      return leave_out("status",
                       "it must be in_progress, completed, interrupted, cancelled, truncated or "
                       "failed.");
    read_.turn.status = *meant;
  }

  std::optional<int> number(std::initializer_list<const char*> names, int least) {
    const Json* const found = member(given_, names);
    if (!found) return std::nullopt;
    const auto value = whole_number(*found, least);
    if (!value) leave_out(*names.begin(), "it must be a whole number.");
    return value;
  }

  std::optional<TimeMs> time(std::initializer_list<const char*> names) {
    const Json* const found = member(given_, names);
    if (!found) return std::nullopt;
    std::optional<TimeMs> value;
    if (found->is_string()) value = read_posted_time(found->get_ref<const std::string&>());
    if (found->is_number()) value = read_posted_time(found->get<double>());
    if (!value)
      leave_out(*names.begin(), "it must be a time such as 2026-11-23T21:50:51Z, or Unix seconds.");
    return value;
  }

  const Json& given_;
  const config::Posts& limits_;
  PostedTurn read_;
};

}  // namespace

const Json* member(const Json& object, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const auto at = object.find(name); at != object.end() && !at->is_null()) return &*at;
  return nullptr;
}

std::optional<int> whole_number(const Json& given, int least) {
  double value = 0;
  if (given.is_number()) {
    value = given.get<double>();
  } else if (given.is_string()) {
    const auto& text = given.get_ref<const std::string&>();
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (!(value >= least && value <= number_max) || value != std::floor(value)) return std::nullopt;
  return static_cast<int>(value);
}

PostedTurn read_posted_turn(const Json& given, const config::Posts& limits) {
  return Reader(given, limits).run();
}

}  // namespace verbatim::requests
