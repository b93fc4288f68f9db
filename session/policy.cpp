#include "session/policy.hpp"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "session/json_outline.hpp"
#include "session/locked_fields.hpp"

namespace verbatim::session {
namespace {

using Tree = nlohmann::json;

/// In small letters: there are parsers that take Instructions for instructions.
std::string small(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

bool covers(std::string_view field, std::string_view path) {
  return path == field ||
         (path.size() > field.size() && path.starts_with(field) && path[field.size()] == '.');
}

bool shows_session(std::string_view type) {
  return type == "session.created" || type == "session.updated" ||
         type == "transcription_session.created" || type == "transcription_session.updated";
}

/// An object without the members that are hidden, all else byte for byte.
std::string rewritten(json::View object, const std::string& path,
                      const std::vector<std::string>& hidden, bool& changed) {
  std::string out = "{";
  for (json::Members members(object); members.next();) {
    const std::string here = path + small(members.key());
    const auto hides = [&here](const std::string& field) { return covers(field, here); };
    if (std::any_of(hidden.begin(), hidden.end(), hides)) {
      changed = true;
      continue;
    }
    const auto inside = [&here](const std::string& field) {
      return field.size() > here.size() && covers(here, field);
    };
    if (out.size() > 1) out += ',';
    out.append("\"").append(members.key()).append("\":");
    const json::View value = members.value();
    if (value.is(json::Kind::object) && std::any_of(hidden.begin(), hidden.end(), inside)) {
      out += rewritten(value, here + '.', hidden, changed);
    } else {
      out += value.raw();
    }
  }
  return out + '}';
}

/// What a message that may change a session has at its top level, beside `type` and `event_id`.
struct Shape {
  std::string_view type;
  std::string_view body;   ///< the member with what is asked for
  std::string_view place;  ///< one more, without meaning for a session; or empty
};
constexpr Shape shapes[] = {
    {"session.update", "session", {}},
    {"transcription_session.update", "session", {}},
    {"response.create", "response", {}},
    {"conversation.item.create", "item", "previous_item_id"},
};

const Shape* shape_of(std::string_view type) {
  const auto* const found = std::find_if(std::begin(shapes), std::end(shapes),
                                         [type](const Shape& one) { return one.type == type; });
  return found == std::end(shapes) ? nullptr : found;
}

/// Where some reader may look for a change, or for who speaks. Folded.
constexpr std::string_view meaningful_names[] = {"type",  "session", "response", "item",
                                                 "input", "role",    "content"};

bool has_meaning(std::string_view fold) {
  return std::find(std::begin(meaningful_names), std::end(meaningful_names), fold) !=
         std::end(meaningful_names);
}

/// The only ones who speak for themselves: what is said in any other role is an instruction by
/// another name.
constexpr std::string_view roles_of_speakers[] = {"user", "assistant"};

bool is_speaker(const std::string& role) {
  return std::find(std::begin(roles_of_speakers), std::end(roles_of_speakers), role) !=
         std::end(roles_of_speakers);
}

constexpr std::size_t event_id_bytes_max = 512;

std::string event_id_of(std::string_view message) {
  std::string id = json::Object::begun(message)["event_id"].string_or_empty();
  return id.size() > event_id_bytes_max ? std::string() : id;
}

/// The rules about fields, on one message.
class Judge {
 public:
  using Outline = json::Outline;
  using Index = Outline::Index;

  Judge(const LockedFields& locked, std::string_view message, MessageLimits limits)
      : locked_(locked),
        bytes_(message),
        message_(message, {limits.values_max, limits.depth_max}),
        limits_(limits) {}

  std::optional<Refusal> judge(const Shape& shape, const std::function<Tree()>& has) {
    if (message_.fault() != Outline::Fault::none) return unreadable();
    std::optional<Index> body;
    for (Index i = Outline::first(0); i < message_.end(0); i = message_.end(i)) {
      const std::string name = message_.name(i);
      if (name == shape.body) body = i;
      if (name == shape.body || name == "type" || name == "event_id" ||
          (name == shape.place && !name.empty()))
        continue;
      if (!is_plain_name(name) || has_meaning(folded(name))) return ambiguous(name);
      if (locked_.touches(name)) return locked_field(name);
    }
    if (!body) return std::nullopt;
    const std::string place(shape.body);
    if (shape.body == "response" && message_.is(*body, json::Kind::null)) return std::nullopt;
    if (!message_.is(*body, json::Kind::object)) return no_object(place);
    if (shape.body == "item") return judge_item(*body, place, place + ".role");
    const bool response = shape.body == "response";
    if (response) {
      if (auto refused = judge_input(*body)) return refused;
    }
    const auto wrong = locked_.wrong_in(message_, *body, response, has);
    if (!wrong) return std::nullopt;
    const std::string path = place + '.' + wrong->path;
    return wrong->kind == LockedFields::Wrong::Kind::ambiguous ? ambiguous(path)
                                                               : locked_field(path);
  }

 private:
  bool guards_instructions() const { return locked_.touches("instructions"); }

  std::optional<Refusal> judge_input(Index response) {
    if (!guards_instructions()) return std::nullopt;
    const std::string place = "response.input";
    for (Index i = Outline::first(response); i < message_.end(response); i = message_.end(i)) {
      if (message_.name(i) != "input" || message_.is(i, json::Kind::null)) continue;
      if (!message_.is(i, json::Kind::array))
        return refusal("invalid_value", "'" + place + "' must be an array.", place);
      for (Index item = Outline::first(i); item < message_.end(i); item = message_.end(item)) {
        if (!message_.is(item, json::Kind::object)) return no_object(place + "[]");
        if (auto refused = judge_item(item, place, place)) return refused;
      }
    }
    return std::nullopt;
  }

  /// What is said in the system's name is an instruction by another name.
  std::optional<Refusal> judge_item(Index item, const std::string& place,
                                    const std::string& param) {
    if (!guards_instructions()) return std::nullopt;
    for (Index i = Outline::first(item); i < message_.end(item); i = message_.end(i)) {
      const std::string name = message_.name(i);
      const std::string fold = folded(name);
      if (!is_plain_name(name) || (fold == "role" && name != "role"))
        return ambiguous(place + '.' + name);
      if (fold == "instructions" || fold == "prompt") return locked_field(place + '.' + name);
      if (name == "role" && !is_speaker(message_.text(i))) return locked_field(param);
    }
    return std::nullopt;
  }

  std::optional<Refusal> unreadable() const {
    switch (message_.fault()) {
      case Outline::Fault::too_many:
        return refusal("message_too_complex",
                       "The message has more than " + std::to_string(limits_.values_max) +
                           " values (policy.values_max). Send less at a time.",
                       {});
      case Outline::Fault::too_deep:
        return refusal("message_too_complex",
                       "The message is nested more than " + std::to_string(limits_.depth_max) +
                           " levels deep (policy.depth_max).",
                       {});
      default:
        return refusal("invalid_value",
                       "The message can be read in more than one way (a name that stands twice in "
                       "an object, or half a character). Write each name once.",
                       {});
    }
  }

  std::optional<Refusal> ambiguous(const std::string& name) const {
    const std::string shown = printable(name);
    return refusal("invalid_value",
                   "The name '" + shown +
                       "' can be read in more than one way. Write the protocol's names as they "
                       "are, in their own place.",
                   shown);
  }

  std::optional<Refusal> no_object(const std::string& place) const {
    return refusal("invalid_value", "'" + place + "' must be an object.", place);
  }

  std::optional<Refusal> locked_field(const std::string& param) const {
    const std::string shown = printable(param);
    return refusal("field_locked",
                   "'" + shown +
                       "' is fixed for this session and was not changed. Leave it out, or send "
                       "the value that it has.",
                   shown);
  }

  std::optional<Refusal> refusal(std::string code, std::string what, std::string param) const {
    return Refusal{std::move(code), std::move(what), std::move(param), event_id_of(bytes_)};
  }

  /// A client's own words in an answer: short, and plainly printable.
  static std::string printable(std::string text) {
    constexpr std::size_t bytes_max = 256;
    if (text.size() > bytes_max) text.resize(bytes_max);
    for (char& c : text)
      if (c < ' ' || c > '~') c = '?';
    return text;
  }

  const LockedFields& locked_;
  std::string_view bytes_;
  const Outline message_;
  const MessageLimits limits_;
};

}  // namespace

bool is_field_path(std::string_view path) {
  if (path.empty() || path.size() > 128 || path.front() == '.' || path.back() == '.') return false;
  if (path.find("..") != path.npos) return false;
  return std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

Policy::Policy(PolicyRules rules, std::string bound_json, std::string model)
    : rules_(std::move(rules)), bound_json_(std::move(bound_json)) {
  LockedFields locked;
  for (const std::string& field : rules_.locked) {
    if (field == "all") {
      locked.lock_all();
    } else if (field == "bound") {
      locked.lock_all_of(bound_json_);
      if (!model.empty()) locked.lock("model");
    } else {
      locked.lock(field);
    }
  }
  for (std::string& field : rules_.hidden) field = small(field);
  const auto hides = [this](const char* field) {
    return std::find(rules_.hidden.begin(), rules_.hidden.end(), field) != rules_.hidden.end();
  };
  if (hides("instructions")) rules_.hidden.push_back("prompt");  // a template's variables
  if (!locked.any()) return;
  locked_ = std::make_shared<const LockedFields>(std::move(locked));
  Tree bound = Tree::parse(bound_json_, nullptr, false);
  if (!bound.is_object()) bound = Tree::object();
  if (!model.empty()) bound["model"] = model;
  bound_json_ = bound.dump();
}

std::optional<Refusal> Policy::refuse(std::string_view type, std::string_view message) const {
  const auto& allowed = rules_.client_events;
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), type) == allowed.end()) {
    return Refusal{"event_not_allowed", "This session may not send '" + std::string(type) + "'.",
                   "type", event_id_of(message)};
  }
  const Shape* const shape = shape_of(type);
  if (!locked_ || shape == nullptr) return std::nullopt;
  const auto has = [this] {
    Tree session = Tree::parse(current_json_, nullptr, false);
    if (!session.is_object()) session = Tree::object();
    session.merge_patch(Tree::parse(bound_json_, nullptr, false));
    return session;
  };
  return Judge(*locked_, message, rules_.message_limits).judge(*shape, has);
}

void Policy::configured(std::string_view type, std::string_view message) {
  if (!locked_ || !shows_session(type)) return;
  current_json_ = json::View::of(message)["session"].raw();
}

std::optional<std::string> Policy::without_hidden(std::string_view type,
                                                  std::string_view message) const {
  if (rules_.hidden.empty() || !shows_session(type)) return std::nullopt;
  bool changed = false;
  std::vector<std::string> paths;
  for (const std::string& field : rules_.hidden) paths.push_back("session." + field);
  const auto object = json::View::of(message);
  if (!object.is(json::Kind::object)) return "{\"type\":\"" + std::string(type) + "\"}";
  std::string out = rewritten(object, {}, paths, changed);
  if (!changed) return std::nullopt;
  return out;
}

}  // namespace verbatim::session
