#include "server/relay/access/token_terms.hpp"

#include <algorithm>
#include <utility>

#include "base/json/tree.hpp"
#include "session/policy/known_members.hpp"

namespace verbatim::access {
namespace {

constexpr std::size_t names_max = 100;

/// A limit that a token may set, and the configured value that it may not exceed (0: no limit).
struct Ceiling {
  const char* name;
  const char* key;
  std::int64_t most;
};

std::vector<Ceiling> ceilings(const config::Settings& settings) {
  const auto seconds = [](config::milliseconds time) {
    return std::max<std::int64_t>(1, time.count() / 1000);
  };
  const config::Limits& limits = settings.limits;
  return {
      {"max_duration", "session.max_duration", seconds(settings.session.max_duration)},
      {"idle_timeout", "session.idle_timeout", seconds(settings.session.idle_timeout)},
      {"audio_seconds", "limits.audio_seconds", static_cast<std::int64_t>(limits.audio_seconds)},
      {"tokens", "limits.tokens", static_cast<std::int64_t>(limits.tokens)},
  };
}

bool is_field(const std::string& name) { return policy::is_field_path(name); }

std::optional<BadTerm> check_names(const Json& policy, const char* member,
                                   bool (*good)(const std::string&), const char* accepted) {
  const auto at = policy.find(member);
  if (at == policy.end()) return std::nullopt;
  const std::string place = std::string("verbatim.policy.") + member;
  if (!at->is_array() || at->size() > names_max)
    return BadTerm{place, std::string("must be a list of ") + accepted};
  for (std::size_t i = 0; i < at->size(); ++i) {
    const Json& one = (*at)[i];
    const std::string here = place + "[" + std::to_string(i) + "]";
    if (!one.is_string() || !good(one.get<std::string>()))
      return BadTerm{here, std::string("is none of ") + accepted};
    if (good != is_field) continue;
    if (const auto slip = policy::misspelt_field(one.get<std::string>()))
      return BadTerm{here, "names " + policy::shown_name(slip->part) +
                               ", which is not known; the nearest known name is " + slip->meant};
  }
  return std::nullopt;
}

std::optional<BadTerm> unknown_member(const Json& object, const std::string& place,
                                      const std::vector<std::string>& known) {
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return BadTerm{place + "." + policy::shown_name(name),
                   policy::not_known(name, {known.begin(), known.end()})};
  }
  return std::nullopt;
}

std::vector<std::string> names(const Json& policy, const char* member,
                               const std::vector<std::string>& otherwise) {
  const auto at = policy.find(member);
  return at == policy.end() ? otherwise : at->get<std::vector<std::string>>();
}

/// Each name must be an event of the protocol, or one that `session.extra_client_events` adds.
std::optional<BadTerm> check_client_events(const Json& policy,
                                           const std::vector<std::string>& extra,
                                           const protocol::ProviderDialect& provider) {
  const auto events = policy.find("client_events");
  if (events == policy.end()) return std::nullopt;
  const std::string place = "verbatim.policy.client_events";
  if (auto bad = check_names(
          policy, "client_events", [](const std::string& name) { return !name.empty(); },
          "client events"))
    return bad;
  if (events->empty()) return BadTerm{place, "names none; leave it out to allow all"};
  for (std::size_t i = 0; i < events->size(); ++i) {
    const auto name = (*events)[i].get<std::string>();
    if (provider.known_places().members_of_event(name) != nullptr ||
        std::find(extra.begin(), extra.end(), name) != extra.end())
      continue;
    return BadTerm{place + "[" + std::to_string(i) + "]", "is not a client event of the protocol"};
  }
  return std::nullopt;
}

std::optional<BadTerm> check_policy(const Json& policy, const config::Settings& settings,
                                    const protocol::ProviderDialect& provider) {
  if (auto bad = unknown_member(policy, "verbatim.policy", {"client_events", "locked", "hide"}))
    return bad;
  if (auto bad = check_names(policy, "locked", is_field,
                             "fields like instructions or audio.output.voice, bound, all"))
    return bad;
  if (auto bad = check_names(policy, "hide", is_field, "fields like instructions or tools"))
    return bad;
  return check_client_events(policy, settings.session.extra_client_events, provider);
}

std::optional<BadTerm> check_limits(const Json& limits, const config::Settings& settings) {
  std::vector<std::string> known;
  for (const Ceiling& one : ceilings(settings)) {
    known.emplace_back(one.name);
    const auto at = limits.find(one.name);
    if (at == limits.end()) continue;
    const std::string place = std::string("verbatim.limits.") + one.name;
    constexpr std::int64_t beyond = 1'000'000'000'000;
    const std::int64_t most = one.most == 0 ? beyond : one.most;
    const bool fits = at->is_number_integer() && *at >= 1 && *at <= most;
    if (!fits)
      return BadTerm{place, "must be a whole number from 1 to " + std::to_string(most) +
                                (one.most == 0 ? "" : std::string(" (") + one.key + ")")};
  }
  return unknown_member(limits, "verbatim.limits", known);
}

}  // namespace

tl::expected<std::string, BadTerm> read_terms(const Json& verbatim,
                                              const config::Settings& settings,
                                              const protocol::ProviderDialect& provider) {
  Json policy = verbatim.value("policy", Json::object());
  const Json limits = verbatim.value("limits", Json::object());
  const auto no_object = [](const char* place) {
    return tl::unexpected(BadTerm{place, "must be an object"});
  };
  if (!policy.is_object()) return no_object("verbatim.policy");
  if (!limits.is_object()) return no_object("verbatim.limits");
  // "all" and "bound" may stand as a string instead of a list.
  if (const auto locked = policy.find("locked"); locked != policy.end() && locked->is_string())
    *locked = Json::array({*locked});
  if (auto bad = check_policy(policy, settings, provider)) return tl::unexpected(*std::move(bad));
  if (auto bad = check_limits(limits, settings)) return tl::unexpected(*std::move(bad));
  const auto recording = verbatim.find("recording");
  if (recording != verbatim.end()) {
    if (!recording->is_boolean())
      return tl::unexpected(BadTerm{"verbatim.recording", "must be true or false"});
    // A wish for a recording must not be ignored in silence.
    if (*recording && settings.recording.enabled == config::Record::no)
      return tl::unexpected(
          BadTerm{"verbatim.recording", "cannot be true: recording.enabled is no"});
  }
  if (policy.empty() && limits.empty() && recording == verbatim.end()) return std::string();
  Json terms{{"policy", policy}, {"limits", limits}};
  if (recording != verbatim.end()) terms["recording"] = *recording;
  return terms.dump();
}

void apply_terms(const config::Settings& settings, const std::string& terms_json,
                 session::SessionOptions& options) {
  const Json terms = Json::parse(terms_json, nullptr, false);
  const auto part = [&terms](const char* name) {
    return terms.is_object() ? terms.value(name, Json::object()) : Json::object();
  };
  const Json policy = part("policy");
  const Json limits = part("limits");
  const config::Policy& rules = settings.policy;
  options.policy.client_events = names(policy, "client_events", rules.client_events);
  options.policy.locked = names(policy, "locked", rules.locked);
  options.policy.hidden = names(policy, "hide", rules.hide);
  options.policy.message_limits = {rules.values_max, rules.depth_max};

  const auto least = [&limits](const char* name, std::int64_t scale, std::int64_t configured) {
    const std::int64_t own = limits.value(name, std::int64_t{0}) * scale;
    return own == 0 || (configured != 0 && configured < own) ? configured : own;
  };
  const config::Limits& most = settings.limits;
  const auto number = [](std::size_t value) { return static_cast<std::int64_t>(value); };
  options.max_duration_ms = least("max_duration", 1000, options.max_duration_ms);
  options.idle_timeout_ms = least("idle_timeout", 1000, options.idle_timeout_ms);
  options.budget.audio_ms = least("audio_seconds", 1000, number(most.audio_seconds) * 1000);
  options.budget.tokens = least("tokens", 1, number(most.tokens));
  options.budget.user_audio_ms = number(most.user_audio_seconds) * 1000;
  options.budget.user_tokens = number(most.user_tokens);
  options.budget.warn_percent = most.warn_percent;
}

bool is_recorded(const config::Recording& settings, const std::string& terms_json) {
  if (settings.enabled == config::Record::no) return false;
  const bool otherwise = settings.enabled == config::Record::yes;
  const Json terms = Json::parse(terms_json, nullptr, false);
  return terms.is_object() ? terms.value("recording", otherwise) : otherwise;
}

void require_known_fields(const config::Settings& settings) {
  const auto check = [](const char* key, const std::vector<std::string>& fields) {
    for (const std::string& field : fields)
      if (const auto slip = policy::misspelt_field(field))
        throw config::ConfigError(std::string(key) + ": " + field + " names " + slip->part +
                                  ", which is not known; the nearest known name is " + slip->meant);
  };
  check("policy.locked", settings.policy.locked);
  check("policy.hide", settings.policy.hide);
}

}  // namespace verbatim::access
