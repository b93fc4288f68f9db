#include "session/policy/policy.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "base/json/tree.hpp"
#include "base/json/view.hpp"
#include "session/policy/lock_judge.hpp"
#include "session/policy/locked_fields.hpp"
#include "session/protocol/envelope.hpp"

namespace verbatim::policy {
namespace {

/// Members of a response with these names are not fields of its session.
bool is_of_responses(std::string_view field) {
  return field == "id" || field == "object" || field == "type";
}

/// The name with its escapes decoded, as a reader takes it.
std::string decoded(const json::Members& member) {
  if (member.key().find('\\') == std::string_view::npos) return std::string(member.key());
  return json::View::of('"' + std::string(member.key()) + '"').string_or_empty();
}

/// The type of a message for which peek_type() finds none: its name, or one before it, is escaped.
std::string type_of(std::string_view message) {
  for (json::Members members(json::View::of(message)); members.next();)
    if (decoded(members) == "type") return members.value().string_or_empty();
  return {};
}

/// The object without its hidden members; all other members keep their bytes.
std::string rewritten(json::View object, const std::string& path,
                      const std::vector<std::string>& hidden, bool& changed) {
  std::string out = "{";
  for (json::Members members(object); members.next();) {
    // Compare without regard to case: some parsers read Instructions as instructions.
    const std::string here = path + lower_case(decoded(members));
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

}  // namespace

bool is_field_path(std::string_view path) {
  if (path.empty() || path.size() > 128 || path.front() == '.' || path.back() == '.') return false;
  if (path.find("..") != path.npos) return false;
  return std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

Policy::Policy(PolicyRules rules, std::string bound_json, std::string model,
               const protocol::ProviderDialect& provider)
    : provider_(&provider), rules_(std::move(rules)), bound_json_(std::move(bound_json)) {
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
  for (std::string& field : rules_.hidden) field = lower_case(field);
  const auto hides = [this](const char* field) {
    return std::find(rules_.hidden.begin(), rules_.hidden.end(), field) != rules_.hidden.end();
  };
  if (hides("instructions"))
    rules_.hidden.emplace_back("prompt");  // its variables can show the instructions
  if (!locked.any()) return;
  locked_ = std::make_shared<const Locks>(std::move(locked), provider.known_places());
  Json bound = Json::parse(bound_json_, nullptr, false);
  if (!bound.is_object()) bound = Json::object();
  if (!model.empty()) bound["model"] = model;
  bound_json_ = bound.dump();
}

std::optional<protocol::Refusal> Policy::refuse(std::string_view type,
                                                std::string_view message) const {
  const auto& allowed = rules_.client_events;
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), type) == allowed.end()) {
    return protocol::Refusal{"event_not_allowed",
                             "This session may not send '" + std::string(type) + "'.", "type",
                             protocol::named_event_id(message)};
  }
  if (!locked_) return std::nullopt;
  const auto has = [this] {
    Json session = Json::parse(current_json_, nullptr, false);
    if (!session.is_object()) session = Json::object();
    session.merge_patch(Json::parse(bound_json_, nullptr, false));
    return session;
  };
  return refuse_locked(*locked_, type, message, rules_.message_limits, has);
}

void Policy::configured(std::string_view type, std::string_view message) {
  if (!locked_ || provider_->shows(type) != protocol::Shows::session) return;
  current_json_ = provider_->session_in(message);
}

std::optional<std::string> Policy::without_hidden(std::string_view type,
                                                  std::string_view message) const {
  if (rules_.hidden.empty()) return std::nullopt;
  const std::string spelt = type.empty() ? type_of(message) : std::string();
  if (type.empty()) type = spelt;
  const protocol::Shows shown = provider_->shows(type);
  const bool of_response = shown == protocol::Shows::response;
  if (!of_response && shown != protocol::Shows::session) return std::nullopt;
  bool changed = false;
  std::vector<std::string> paths;
  for (const std::string& field : rules_.hidden) {
    if (!of_response) paths.push_back("session." + field);
    if (of_response && !is_of_responses(field)) paths.push_back("response." + field);
  }
  const auto object = json::View::of(message);
  if (!object.is(json::Kind::object)) return "{\"type\":\"" + std::string(type) + "\"}";
  std::string out = rewritten(object, {}, paths, changed);
  if (!changed) return std::nullopt;
  return out;
}

}  // namespace verbatim::policy
