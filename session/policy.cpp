#include "session/policy.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "session/json_view.hpp"

namespace verbatim::session {
namespace {

using Tree = nlohmann::json;

/// Beta's flat names of fields that GA has elsewhere: a lock holds whatever name is used.
constexpr std::pair<std::string_view, std::string_view> beta_names[] = {
    {"voice", "audio.output.voice"},
    {"speed", "audio.output.speed"},
    {"modalities", "output_modalities"},
    {"input_audio_format", "audio.input.format"},
    {"output_audio_format", "audio.output.format"},
    {"input_audio_transcription", "audio.input.transcription"},
    {"input_audio_noise_reduction", "audio.input.noise_reduction"},
    {"turn_detection", "audio.input.turn_detection"},
    {"max_response_output_tokens", "max_output_tokens"},
};

/// What a response.create has that is no field of a session.
constexpr std::string_view of_responses_alone[] = {"conversation", "input", "metadata"};

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

bool is_session_update(std::string_view type) {
  return type == "session.update" || type == "transcription_session.update";
}

bool shows_session(std::string_view type) {
  return type == "session.created" || type == "session.updated" ||
         type == "transcription_session.created" || type == "transcription_session.updated";
}

/// A tree, unless the bytes can be read in two ways: a name that stands twice in an object.
std::optional<Tree> read_plainly(std::string_view message) {
  std::vector<std::set<std::string>> names;
  bool twice = false;
  const Tree::parser_callback_t watch = [&](int, Tree::parse_event_t event, Tree& parsed) {
    if (event == Tree::parse_event_t::object_start) names.emplace_back();
    if (event == Tree::parse_event_t::object_end) names.pop_back();
    if (event == Tree::parse_event_t::key)
      twice = twice || !names.back().insert(small(parsed.get<std::string>())).second;
    return true;
  };
  Tree tree = Tree::parse(message, watch, /*allow_exceptions=*/false);
  if (tree.is_discarded() || twice) return std::nullopt;
  return tree;
}

const Tree* at(const Tree& session, std::string_view path) {
  const Tree* place = &session;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (!place->is_object()) return nullptr;
    const auto found = place->find(std::string(name));
    if (found == place->end()) return nullptr;
    place = &*found;
  }
  return place;
}

/// Whether all that `asked` says stands in `has`: an update changes only what it names.
bool says_the_same(const Tree& asked, const Tree& has) {
  if (!asked.is_object() || !has.is_object()) return asked == has;
  for (const auto& [name, value] : asked.items()) {
    const auto there = has.find(name);
    if (there == has.end() ? !value.is_null() : !says_the_same(value, *there)) return false;
  }
  return true;
}

bool is_system_item(const Tree& item) {
  const auto role = item.is_object() ? item.find("role") : item.end();
  if (!item.is_object() || role == item.end()) return false;
  return *role == "system" || *role == "developer";
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

Refusal locked_field(const std::string& param, const Tree& event_id) {
  return {"field_locked",
          "'" + param +
              "' is fixed for this session and was not changed. Leave it out, or send "
              "the value that it has.",
          param, event_id.is_string() ? event_id.get<std::string>() : std::string()};
}

/// Beta's names by GA's, and instructions for what takes their place.
std::string canonical(std::string path) {
  path = small(path);
  for (const auto& [beta, ga] : beta_names)
    if (covers(beta, path)) return std::string(ga) + path.substr(beta.size());
  if (covers("prompt", path)) return "instructions." + path;
  return path;
}

/// Paths of all that a change names: its leaves, and objects that are empty.
void leaves(const Tree& object, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object() && !value.empty()) {
      leaves(value, path + name + '.', out);
    } else {
      out.push_back(path + name);
    }
  }
}

void add_bound(const std::string& bound_json, std::vector<std::string>& locked) {
  const Tree bound = Tree::parse(bound_json, nullptr, false);
  if (!bound.is_object()) return;
  std::vector<std::string> paths;
  leaves(bound, {}, paths);
  for (const std::string& path : paths) {
    if (path != "type") locked.push_back(canonical(path));
  }
}

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
  for (const std::string& field : rules_.locked) {
    if (field == "all") {
      lock_all_ = true;
    } else if (field == "bound") {
      add_bound(bound_json_, locked_);
      if (!model.empty()) locked_.push_back("model");
    } else {
      locked_.push_back(canonical(field));
    }
  }
  for (std::string& field : rules_.hidden) field = small(field);
  const auto hides = [this](const char* field) {
    return std::find(rules_.hidden.begin(), rules_.hidden.end(), field) != rules_.hidden.end();
  };
  if (hides("instructions")) rules_.hidden.push_back("prompt");  // a template's variables
  if (!locks()) return;
  Tree bound = Tree::parse(bound_json_, nullptr, false);
  if (!bound.is_object()) bound = Tree::object();
  if (!model.empty()) bound["model"] = model;
  bound_json_ = bound.dump();
}

bool Policy::is_locked(std::string_view path) const {
  if (lock_all_) return true;
  return std::any_of(locked_.begin(), locked_.end(), [path](const std::string& field) {
    return covers(field, path) || covers(path, field);
  });
}

std::optional<Refusal> Policy::refuse(std::string_view type, std::string_view message) const {
  const auto& allowed = rules_.client_events;
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), type) == allowed.end()) {
    return Refusal{"event_not_allowed", "This session may not send '" + std::string(type) + "'.",
                   "type", json::View::of(message)["event_id"].string_or_empty()};
  }
  const bool update = is_session_update(type);
  const bool response = type == "response.create";
  if (!locks() || (!update && !response && type != "conversation.item.create")) {
    return std::nullopt;
  }
  const auto read = read_plainly(message);
  if (!read) {
    return Refusal{"invalid_value",
                   "The message can be read in more than one way (a name that stands twice in an "
                   "object, or half a character). Write each name once.",
                   {},
                   {}};
  }
  const Tree& event_id = read->contains("event_id") ? (*read)["event_id"] : Tree();
  if (!update && guards_instructions()) {
    // What is said in the system's name is an instruction by another name.
    const char* place = response ? "response" : "item";
    const Tree* said = at(*read, response ? "response.input" : "item");
    const bool item = said != nullptr && !response && is_system_item(*said);
    const bool input = said != nullptr && response && said->is_array() &&
                       std::any_of(said->begin(), said->end(), is_system_item);
    if (item || input)
      return locked_field(std::string(place) + (input ? ".input" : ".role"), event_id);
  }
  const char* part = update ? "session" : response ? "response" : "";
  const Tree* change = at(*read, part);
  if (*part == '\0' || change == nullptr || !change->is_object()) return std::nullopt;
  Tree has = Tree::parse(current_json_, nullptr, false);
  if (!has.is_object()) has = Tree::object();
  has.merge_patch(Tree::parse(bound_json_, nullptr, false));
  std::vector<std::string> paths;
  leaves(*change, {}, paths);
  for (const std::string& path : paths) {
    const bool foreign =
        std::any_of(std::begin(of_responses_alone), std::end(of_responses_alone),
                    [&](std::string_view name) { return response && covers(name, small(path)); });
    const std::string field = canonical(path);
    if (foreign || !is_locked(field)) continue;
    const Tree* asked = at(*change, path);
    const Tree* now = at(has, path);
    const Tree kind = "realtime";
    const Tree absent;
    if (now == nullptr && path == "type") now = &kind;
    // What a session does not have can be left so, if it is called by its own name.
    if (now == nullptr && (field == path || covers("prompt", path))) now = &absent;
    if (asked == nullptr || now == nullptr || !says_the_same(*asked, *now))
      return locked_field(std::string(part) + '.' + path, event_id);
  }
  return std::nullopt;
}

void Policy::configured(std::string_view type, std::string_view message) {
  if (!locks() || !shows_session(type)) return;
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
