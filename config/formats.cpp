#include "config/formats.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/ascii.hpp"
#include "config/secrets.hpp"

namespace verbatim::config {
namespace {

std::string quoted(const std::string& text) { return "\"" + text + "\" "; }

template <class T>
void require_range(const T& value, const T& min, const T& max) {
  if (value < min || value > max) throw BadValue("is out of range");
}

void require_origin(const std::string& text) {
  try {
    const Url url = required_url(text);
    if (!(url.path + url.query + url.fragment).empty()) throw BadValue("has a path");
    if (url.user_info) throw BadValue("contains a user or password");
  } catch (const BadValue& bad) {
    throw BadValue(quoted(text) + bad.what());
  }
}

std::string normal_public_url(const std::string& text) {
  Url url = required_url(text);
  if (url.scheme != "https" && url.scheme != "http") {
    throw BadValue("has the scheme " + url.scheme + "; use https, also for WebSocket clients");
  }
  if (url.user_info) throw BadValue("contains a user or password");
  if (!url.query.empty() || !url.fragment.empty()) throw BadValue("has a query or fragment");
  if (url.port == (url.scheme == "https" ? "443" : "80")) url.port.clear();
  while (url.path.ends_with('/')) url.path.pop_back();
  return url.scheme + "://" + authority(lower_case(url.host), url.port) + url.path;
}

void require_event_type(const std::string& text) {
  if (text.empty()) throw BadValue("contains an empty name");
}

ApiKey read_api_key(const Value& value) {
  ApiKey key;
  std::string digest;
  if (value.is_object()) {
    require_members(value, {"name", "sha256"});
    key.name = member(value, "name");
    digest = member(value, "sha256");
    if (digest.starts_with("sha256:")) digest.erase(0, 7);
  } else {
    digest = string_of(value);
    // The string may be the key itself, set here by mistake, so the message does not repeat it.
    if (!digest.starts_with("sha256:")) throw BadValue("contains a string that is not sha256:HEX");
    digest.erase(0, 7);
  }
  const auto parsed = parse_sha256(digest);
  if (!parsed) throw BadValue("contains a sha256 that is not 64 hexadecimal digits");
  key.sha256 = *parsed;
  if (key.name.empty()) key.name = "key-" + key.sha256.substr(0, 8);
  return key;
}

std::vector<std::string> read_target_events(const Value& list) {
  static const std::set<std::string> known = {"session.started", "session.ended",
                                              "transcript.updated", "turn.completed"};
  if (!list.is_array()) throw BadValue("has a target whose events are not a list");
  std::vector<std::string> events;
  for (const Value& event : list) {
    if (!event.is_string() || !known.contains(event.get<std::string>())) {
      throw BadValue(
          "has a target with an unknown event: use session.started, session.ended, "
          "transcript.updated or turn.completed");
    }
    events.push_back(event.get<std::string>());
  }
  return events;
}

Secret read_target_secret(const Value& target, Source source) {
  if (target.contains("secret")) {
    if (source != Source::environment) {
      throw BadValue("contains a secret: use secret_file or VERBATIM_WEBHOOK_TARGETS instead");
    }
    return checked_secret(member(target, "secret"));
  }
  if (!target.contains("secret_file")) throw BadValue("has a target without secret_file");
  constexpr bool several = true;  // the new and the old secret, during a rotation
  return read_secret_file(member(target, "secret_file"), several);
}

WebhookTarget read_target(const Value& value, Source source) {
  if (!value.is_object()) throw BadValue("contains an element that is not a table");
  require_members(value, {"name", "url", "secret", "secret_file", "events", "allow_private"});
  WebhookTarget target;
  target.url = member(value, "url");
  const Url url = required_url(target.url);
  if (url.scheme != "https" && url.scheme != "http") {
    throw BadValue("has a target with the scheme " + url.scheme);
  }
  if (url.user_info) throw BadValue("has a target whose URL contains a user or password");
  target.name = value.contains("name") ? member(value, "name")
                                       : url.host + (url.port.empty() ? "" : ":" + url.port);
  if (target.name.empty()) throw BadValue("has a target with an empty name");
  require_plain_text(target.name);
  if (const auto at = value.find("allow_private"); at != value.end()) {
    if (!at->is_boolean()) throw BadValue("has a target whose allow_private is not true or false");
    target.allow_private = at->get<bool>();
  }
  if (url.scheme == "http" && !target.allow_private) {
    throw BadValue(
        "has a target with the scheme http: set allow_private = true for it, or use https");
  }
  if (const auto at = value.find("events"); at != value.end())
    target.events = read_target_events(*at);
  target.secret = read_target_secret(value, source);
  return target;
}

Format<std::vector<std::string>> strings(std::string accepts, void (*check)(const std::string&)) {
  return {Shape::list, std::move(accepts),
          [check](const Value& value, Source) {
            if (!value.is_array()) throw BadValue("is not a list");
            std::vector<std::string> list;
            for (const Value& element : value) {
              check(list.emplace_back(string_of(element)));
            }
            return list;
          },
          [](const std::vector<std::string>& list) { return Value(list); }};
}

}  // namespace

std::string member(const Value& table, const char* name) {
  return table.contains(name) ? string_of(table.at(name)) : std::string();
}

void require_members(const Value& table, const std::vector<std::string>& known) {
  for (const auto& [name, value] : table.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw BadValue("has an unknown member " + name);
    }
  }
}

const std::string& string_of(const Value& value) {
  if (!value.is_string()) throw BadValue("is not a string");
  const auto& text = value.get_ref<const std::string&>();
  require_plain_text(text);
  return text;
}

Format<milliseconds> duration(milliseconds min, milliseconds max) {
  return {Shape::text, "a duration from " + print_duration(min) + " to " + print_duration(max),
          [=](const Value& value, Source) {
            const std::string& text = string_of(value);
            const auto parsed = parse_duration(text);
            if (!parsed)
              throw BadValue(quoted(text) + "is not a duration like 250ms, 30s, 10m, 1h, 7d");
            require_range(*parsed, min, max);
            return *parsed;
          },
          [](const milliseconds& value) { return Value(print_duration(value)); }};
}

Format<std::size_t> bytes(std::size_t min, std::size_t max) {
  return {Shape::text, "a size from " + print_size(min) + " to " + print_size(max),
          [=](const Value& value, Source) {
            const std::string& text = string_of(value);
            const auto parsed = parse_size(text);
            if (!parsed)
              throw BadValue(quoted(text) + "is not a size like 512, 256KiB, 1MiB, 2GiB");
            require_range(*parsed, min, max);
            return *parsed;
          },
          [](const std::size_t& value) { return Value(print_size(value)); }};
}

template <class T>
Format<T> number(std::int64_t min, std::int64_t max) {
  return {Shape::integer,
          "a whole number from " + std::to_string(min) + " to " + std::to_string(max),
          [=](const Value& value, Source) {
            if (!value.is_number_integer()) throw BadValue("is not a whole number");
            const auto parsed = value.get<std::int64_t>();
            require_range(parsed, min, max);
            return static_cast<T>(parsed);
          },
          [](const T& number) { return Value(number); }};
}
template Format<int> number(std::int64_t, std::int64_t);
template Format<std::size_t> number(std::int64_t, std::int64_t);

Format<bool> boolean() {
  return {Shape::boolean, "true or false",
          [](const Value& value, Source) {
            if (!value.is_boolean()) throw BadValue("is neither true nor false");
            return value.get<bool>();
          },
          [](const bool& value) { return Value(value); }};
}

Format<double> ratio() {
  return {Shape::text, "a number from 0 to 1, like 0.25",
          [](const Value& value, Source) {
            double parsed = -1;
            if (value.is_number()) {
              parsed = value.get<double>();
            } else {  // from the environment or --set
              const std::string& text = string_of(value);
              const char* const end = text.data() + text.size();
              const auto [read, error] = std::from_chars(text.data(), end, parsed);
              if (error != std::errc() || read != end)
                throw BadValue(quoted(text) + "is not a number like 0.25");
            }
            require_range(parsed, 0.0, 1.0);
            return parsed;
          },
          [](const double& ratio) { return Value(ratio); }};
}

Format<std::string> name(std::string accepts, bool may_be_empty) {
  return {Shape::text, std::move(accepts),
          [=](const Value& value, Source) {
            const std::string& text = string_of(value);
            if (text.empty() && !may_be_empty) throw BadValue("is empty");
            if (text.size() > 256) throw BadValue("is longer than 256 bytes");
            return text;
          },
          [](const std::string& text) { return Value(text); }};
}

Format<std::string> parameter() {
  return {Shape::text, "letters, digits, - and _",
          [](const Value& value, Source) {
            const std::string& text = string_of(value);
            const bool good = std::all_of(text.begin(), text.end(), [](char c) {
              return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
            });
            if (text.empty() || !good) throw BadValue(quoted(text) + "is not a parameter name");
            return text;
          },
          [](const std::string& text) { return Value(text); }};
}

Format<std::filesystem::path> path(std::string accepts, bool may_be_empty) {
  return {Shape::text, std::move(accepts),
          [=](const Value& value, Source) {
            const std::string& text = string_of(value);
            if (text.empty() && !may_be_empty) throw BadValue("is empty");
            return std::filesystem::path(text);
          },
          [](const std::filesystem::path& value) { return Value(value.string()); }};
}

Format<Endpoint> endpoint(bool may_be_empty) {
  return {Shape::text,
          std::string("host:port (an IPv6 address in brackets; port 0 picks a free one)") +
              (may_be_empty ? ", or nothing" : ""),
          [=](const Value& value, Source) {
            const std::string& text = string_of(value);
            if (text.empty() && may_be_empty) return Endpoint{};
            try {
              return parse_endpoint(text);
            } catch (const BadValue& bad) {
              throw BadValue(quoted(text) + bad.what());
            }
          },
          [](const Endpoint& value) { return Value(print_endpoint(value)); }};
}

namespace {

/// Masks the values of query parameters, except of those that cannot hold a secret: some providers
/// take the API key as a parameter.
std::string without_query_values(const std::string& url) {
  const std::size_t query = url.find('?');
  if (query == std::string::npos) return url;
  std::string shown = url.substr(0, query);
  for (std::size_t at = query; at < url.size();) {
    const std::size_t end = std::min(url.find('&', at + 1), url.size());
    const std::string parameter = url.substr(at + 1, end - at - 1);
    const std::string name = parameter.substr(0, parameter.find('='));
    const bool plain = name == "api-version" || name == "deployment" || name == "model" ||
                       name.size() == parameter.size();
    shown += url[at] + (plain ? parameter : name + "=***");
    at = end;
  }
  return shown;
}

/// A URL of one of two schemes, or nothing. A URL with a user or a fragment is refused;
/// `user_advice` or `fragment_advice` ends the error message.
Format<std::string> service_url(const char* accepts, const char* plain, const char* secure,
                                const char* user_advice, const char* fragment_advice) {
  return {Shape::text, accepts,
          [=](const Value& value, Source) {
            const std::string& text = string_of(value);
            if (text.empty()) return text;
            const Url url = required_url(text);
            if (url.scheme != plain && url.scheme != secure) {
              throw BadValue("has the scheme " + url.scheme);
            }
            if (url.user_info)
              throw BadValue(std::string("contains a user or password") + user_advice);
            if (!url.fragment.empty())
              throw BadValue(std::string("has a fragment") + fragment_advice);
            return text;
          },
          [](const std::string& text) { return Value(without_query_values(text)); }};
}

}  // namespace

Format<std::string> upstream_url() {
  // No fragment: RFC 6455, section 3.
  return service_url("a ws:// or wss:// URL without user or password, or nothing", "ws", "wss", "",
                     "; write # as %23");
}

Format<std::string> proxy_url() {
  return {Shape::text,
          "http://[user[:password]@]host:port (with a password only from the environment), or "
          "nothing",
          [](const Value& value, Source source) {
            const std::string& text = string_of(value);
            if (text.empty()) return text;
            const Url url = required_url(text);
            if (url.scheme != "http") throw BadValue("has the scheme " + url.scheme);
            if (url.port.empty() || url.port == "0") throw BadValue("has no port");
            if (!(url.path + url.query + url.fragment).empty()) throw BadValue("has a path");
            if (url.user_info.value_or("").find(':') != std::string::npos &&
                source != Source::environment) {
              throw BadValue(
                  "contains a password: set the whole value with VERBATIM_UPSTREAM_PROXY instead");
            }
            return text;
          },
          [](const std::string& text) { return Value(without_password(text)); }};
}

Format<std::string> collector_url() {
  return service_url("an http:// or https:// URL without user or password, or nothing", "http",
                     "https", "; use trace.otlp_headers_file", "");
}

Format<std::string> engine_url() {
  return service_url("an http:// or https:// URL without user or password, or nothing", "http",
                     "https", "; use the key_file beside it", "");
}

Format<std::vector<ApiKey>> api_keys() {
  return {Shape::list, "a list of { name = \"...\", sha256 = \"HEX\" } or \"sha256:HEX\"",
          [](const Value& value, Source) {
            if (!value.is_array()) throw BadValue("is not a list");
            std::vector<ApiKey> list;
            for (const Value& element : value) list.push_back(read_api_key(element));
            return list;
          },
          [](const std::vector<ApiKey>& list) {
            Value result = Value::array();
            for (const ApiKey& key : list) {
              result.push_back({{"name", key.name}, {"sha256", key.sha256}});
            }
            return result;
          }};
}

namespace {

Value print_target(const WebhookTarget& target) {
  Value shown{{"name", target.name}, {"url", without_query_values(target.url)}};
  if (!target.events.empty()) shown["events"] = target.events;
  if (target.allow_private) shown["allow_private"] = true;
  return shown;
}

}  // namespace

Format<std::vector<WebhookTarget>> webhook_targets() {
  return {Shape::list, "a list of { url = \"https://...\", secret_file = \"...\" }",
          [](const Value& value, Source source) {
            if (!value.is_array()) throw BadValue("is not a list");
            std::vector<WebhookTarget> list;
            std::set<std::string> names;
            for (const Value& element : value) {
              list.push_back(read_target(element, source));
              if (!names.insert(list.back().name).second)
                throw BadValue("has two targets with the name " + list.back().name +
                               ": give each target its own name");
            }
            return list;
          },
          [](const std::vector<WebhookTarget>& list) {
            Value result = Value::array();
            for (const WebhookTarget& target : list) result.push_back(print_target(target));
            return result;
          }};
}

Format<std::vector<std::string>> origins() {
  return strings("a list of origins like \"https://app.example.com\"", require_origin);
}

Format<std::string> public_url() {
  return {Shape::text, "a URL like \"https://voice.example.com\" or one with a path, or nothing",
          [](const Value& value, Source) {
            const std::string& text = string_of(value);
            return text.empty() ? text : normal_public_url(text);
          },
          [](const std::string& text) { return Value(text); }};
}

Format<std::vector<Network>> networks() {
  return {Shape::list, "a list of addresses and networks like \"192.0.2.7\" or \"10.0.0.0/8\"",
          [](const Value& value, Source) {
            if (!value.is_array()) throw BadValue("is not a list");
            std::vector<Network> list;
            for (const Value& element : value) list.push_back(parse_network(string_of(element)));
            return list;
          },
          [](const std::vector<Network>& list) {
            Value result = Value::array();
            for (const Network& network : list) result.push_back(print_network(network));
            return result;
          }};
}

Format<std::vector<std::string>> fields(std::string accepts) {
  return strings(std::move(accepts), [](const std::string& text) {
    const bool good = std::all_of(text.begin(), text.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    });
    if (text.empty() || text.size() > 128 || !good || text.front() == '.' || text.back() == '.' ||
        text.find("..") != std::string::npos)
      throw BadValue(quoted(text) + "is not the path of a field");
  });
}

Format<std::vector<std::string>> event_types() {
  return strings("a list of event types", require_event_type);
}

Format<Secret> secret(std::string accepts, std::string advice) {
  return {Shape::text, std::move(accepts),
          [advice = std::move(advice)](const Value& value, Source source) {
            if (source != Source::environment) throw BadValue(advice);
            return checked_secret(string_of(value));
          },
          [](const Secret& value) { return Value(!value.empty()); }};
}

Format<Secret> secret_file(bool several) {
  return {
      Shape::text, "a file that holds a secret of 8 to 4096 characters",
      [several](const Value& value, Source) { return read_secret_file(string_of(value), several); },
      nullptr};
}

}  // namespace verbatim::config
