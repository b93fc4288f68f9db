#include "config/settings.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include "base/ascii.hpp"
#include "base/edit_distance.hpp"
#include "config/effective.hpp"
#include "config/fleet_check.hpp"
#include "config/keys.hpp"
#include "config/values.hpp"

namespace verbatim::config {
namespace {

const Key* find_key(std::string_view name) {
  const auto& table = keys();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Key& key) { return key.name == name; });
  return found == table.end() ? nullptr : &*found;
}

struct Nearest {
  const Key* key;
  std::size_t distance;
};

/// The known key with the smallest edit distance to the name. A right name in a wrong section has
/// distance 2 at most.
Nearest nearest_key(const std::string& name) {
  // The first 64 characters are enough: a longer name is near to no key.
  const std::string head = name.substr(0, 64);
  Nearest best{&keys().front(), head.size() + 64};
  for (const Key& key : keys()) {
    std::size_t distance = edit_distance(head, key.name);
    if (member_of(head) == member_of(key.name)) distance = std::min<std::size_t>(distance, 2);
    if (distance < best.distance) best = {&key, distance};
  }
  return best;
}

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw ConfigError(where + ": " + what);
}

[[noreturn]] void fail_unknown(const std::string& where, const std::string& name) {
  fail(where, "unknown key " + name.substr(0, 128) + "; the nearest known key is " +
                  nearest_key(name).key->name);
}

Value to_value(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* list = node.as_array()) {
    Value result = Value::array();
    for (const toml::node& element : *list) result.push_back(to_value(element));
    return result;
  }
  if (const auto* table = node.as_table()) {
    Value result = Value::object();
    for (const auto& [name, element] : *table) result[std::string(name.str())] = to_value(element);
    return result;
  }
  return nullptr;  // dates and times: no key accepts them
}

/// Collects the settings, and all that is wrong with them. Remembers where each key was set, for
/// the checks in finish().
class Reader {
 public:
  void read(const Sources& sources) {
    if (!sources.file.empty()) collect([&] { read_file(sources.file); });
    for (const std::string& entry : sources.environment)
      collect([&] { read_variable(entry, sources.environment); });
    for (const std::string& assignment : sources.assignments)
      collect([&] { read_assignment(assignment); });
    collect([&] { read_openai_key(sources.environment); });
    collect([&] { read_aws_keys(sources.environment); });
  }

  /// Appends all that is wrong to `wrong`.
  Settings finish(std::vector<std::string>& wrong) {
    for (const auto check : {&Reader::require_pair, &Reader::require_ttl_below_its_max,
                             &Reader::require_metrics_elsewhere, &Reader::require_another_disk,
                             &Reader::require_usable_engines, &Reader::require_usable_bucket})
      collect([&] { (this->*check)(); });
    for (const Contradiction& one : contradictions_of_fleet(settings_))
      collect([&] {
        if (!rejected(one.key) && !rejected(one.other)) fail(where(one.key), one.what);
      });
    wrong.insert(wrong.end(), wrong_.begin(), wrong_.end());
    if (wrong_.empty()) {
      warn_of_clear_text();
      warn_of_unverified_database(settings_);
    }
    return std::move(settings_);
  }

 private:
  template <class Step>
  void collect(Step step) {
    try {
      step();
    } catch (const ConfigError& error) {
      wrong_.emplace_back(error.what());
    }
  }

  void read_file(const std::filesystem::path& path) {
    // A container runtime makes a directory where the file that it should mount is missing.
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
      fail(path.string(), "cannot be read: it is a directory, not a file");
    std::ifstream stream(path, std::ios::binary);
    std::stringstream text;
    if (stream) text << stream.rdbuf();
    if (!stream || text.bad()) {
      fail(path.string(), std::string("cannot be read: ") + std::strerror(errno));
    }
    toml::table root;
    try {
      root = toml::parse(text.str(), std::string_view(path.native()));
    } catch (const toml::parse_error& error) {
      fail(place(path, error.source()), std::string(error.description()));
    }
    for (auto&& [name, node] : root) {
      collect([&, section = std::string(name.str()), &content = node] {
        read_section(path, section, content);
      });
    }
  }

  void read_variable(const std::string& entry, const std::vector<std::string>& environment) {
    const auto equals = entry.find('=');
    if (equals == std::string::npos || !entry.starts_with("VERBATIM_")) return;
    const std::string variable = entry.substr(0, equals);
    // Container tools pass unset variables on as empty ones.
    if (equals + 1 == entry.size()) return;
    const auto found = std::find_if(keys().begin(), keys().end(), [&](const Key& key) {
      return environment_variable(key.name) == variable;
    });
    const std::string where = "environment variable " + variable;
    if (found == keys().end()) {
      require_foreign(where, variable);
      return;
    }
    // A secret in its own variable takes precedence over a secret file, in any order.
    if (found->role == Role::secret_file &&
        is_set(environment, variable.substr(0, variable.size() - strlen("_FILE")))) {
      return;
    }
    assign(*found, where + " (" + found->name + ")",
           from_text(*found, where, entry.substr(equals + 1)), Source::environment);
  }

  void read_assignment(const std::string& assignment) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos) {
      // The argument may be a misplaced secret, so the message does not repeat it.
      throw ConfigError("--set: the = is missing; expected section.key=value");
    }
    const std::string name = assignment.substr(0, equals);
    const std::string where = "--set " + name.substr(0, 128);
    const Key* key = find_key(name);
    if (key == nullptr) fail_unknown(where, name);
    assign(*key, where, from_text(*key, where, assignment.substr(equals + 1)),
           Source::command_line);
  }

  void read_openai_key(const std::vector<std::string>& environment) {
    constexpr std::string_view prefix = "OPENAI_API_KEY=";
    if (!settings_.upstream.api_key.empty()) return;
    for (const std::string& entry : environment) {
      if (!entry.starts_with(prefix) || entry.size() == prefix.size()) continue;
      assign(*find_key("upstream.api_key"), "environment variable OPENAI_API_KEY",
             entry.substr(prefix.size()), Source::environment);
    }
  }

  /// The variables that programs of AWS read.
  void read_aws_keys(const std::vector<std::string>& environment) {
    const Bucket& bucket = settings_.bucket;
    if (bucket.bucket.empty() || !bucket.access_key.empty() || !bucket.secret_key.empty()) return;
    for (const auto& [variable, key] :
         {std::pair("AWS_ACCESS_KEY_ID", "recording.s3_access_key"),
          std::pair("AWS_SECRET_ACCESS_KEY", "recording.s3_secret_key")})
      for (const std::string& entry : environment)
        if (entry.starts_with(std::string(variable) + "=") && entry.back() != '=')
          assign(*find_key(key), std::string("environment variable ") + variable,
                 entry.substr(std::strlen(variable) + 1), Source::environment);
  }

  /// A key whose value was rejected has its default, so a check of it would mislead.
  bool rejected(const std::string& name) const {
    return std::find(rejected_.begin(), rejected_.end(), name) != rejected_.end();
  }

  void require_pair() {
    const Tls& tls = settings_.tls;
    if (tls.cert_file.empty() == tls.key_file.empty()) return;
    if (rejected("tls.cert_file") || rejected("tls.key_file")) return;
    const bool cert = !tls.cert_file.empty();
    fail(where(cert ? "tls.cert_file" : "tls.key_file"),
         std::string("is set without ") + (cert ? "tls.key_file" : "tls.cert_file") + "; set both");
  }

  void require_ttl_below_its_max() {
    const Auth& auth = settings_.auth;
    if (auth.token_ttl <= auth.token_ttl_max) return;
    if (rejected("auth.token_ttl") || rejected("auth.token_ttl_max")) return;
    fail(where("auth.token_ttl"), print_duration(auth.token_ttl) +
                                      " is longer than auth.token_ttl_max, which is " +
                                      print_duration(auth.token_ttl_max));
  }

  void require_metrics_elsewhere() {
    const Endpoint& metrics = settings_.metrics.listen;
    if (metrics.host.empty() || metrics.port == 0) return;
    if (print_endpoint(metrics) != print_endpoint(settings_.server.listen)) return;
    fail(where("metrics.listen"),
         "is the same as server.listen; leave it empty to serve metrics on that address");
  }

  void require_another_disk() {
    const std::filesystem::path& fallback = settings_.storage.fallback_dir;
    if (fallback.empty() ||
        fallback.lexically_normal() != settings_.server.data_dir.lexically_normal())
      return;
    fail(where("storage.fallback_dir"),
         "is the same as server.data_dir; set a directory on another disk");
  }

  void require_usable_engines() {
    const Repair& repair = settings_.repair;
    if (!repair.fallback_url.empty() && repair.url.empty() && !rejected("repair.url"))
      fail(where("repair.fallback_url"), "is set without repair.url, the first engine");
    if (repair.allow_private || rejected("repair.allow_private")) return;
    for (const auto& [key, url] : {std::pair("repair.url", repair.url),
                                   std::pair("repair.fallback_url", repair.fallback_url)})
      if (!url.empty() && required_url(url).scheme == "http")
        fail(where(key), "has the scheme http: set repair.allow_private = true, or use https");
  }

  void require_usable_bucket() {
    const Bucket& bucket = settings_.bucket;
    for (const char* key : {"recording.s3_bucket", "recording.s3_endpoint",
                            "recording.s3_access_key", "recording.s3_secret_key"})
      if (rejected(key) || rejected(std::string(key) + "_file")) return;
    if (bucket.bucket.empty()) {
      if (!bucket.endpoint.empty())
        fail(where("recording.s3_endpoint"), "is set without recording.s3_bucket");
      return;
    }
    for (const auto& [key, secret] : {std::pair("recording.s3_access_key", &bucket.access_key),
                                      std::pair("recording.s3_secret_key", &bucket.secret_key)})
      if (secret->empty())
        fail(where("recording.s3_bucket"), std::string("is set without ") + key + "_file or the " +
                                               "variable " + environment_variable(key));
    if (!bucket.endpoint.empty() && required_url(bucket.endpoint).scheme == "http" &&
        !bucket.allow_private)
      fail(where("recording.s3_endpoint"),
           "has the scheme http: set recording.s3_allow_private = true, or use https");
    if (bucket.single_bytes_max < bucket.part_bytes)
      fail(where("recording.s3_part_bytes"), "is more than recording.s3_single_bytes_max");
    if (bucket.retry_max < bucket.retry_min)
      fail(where("recording.s3_retry_min"), "is longer than recording.s3_retry_max");
  }

  /// An unencrypted connection to another machine exposes the conversation and the provider's key.
  void warn_of_clear_text() {
    const std::string& text = settings_.upstream.url;
    if (text.empty()) return;
    const Url url = required_url(text);
    if (url.scheme != "ws" || is_of_this_machine(url.host)) return;
    settings_.warnings.push_back(
        "upstream.url: ws:// to another machine sends conversations" +
        std::string(settings_.upstream.api_key.empty() ? "" : " and the provider's key") +
        " unencrypted; use wss://");
  }

  static std::string place(const std::filesystem::path& path, const toml::source_region& source) {
    return path.string() + ":" + std::to_string(source.begin.line);
  }

  void read_section(const std::filesystem::path& path, const std::string& section,
                    const toml::node& node) {
    const bool known = std::any_of(keys().begin(), keys().end(),
                                   [&](const Key& key) { return section_of(key.name) == section; });
    if (!known) {
      const toml::table* table = node.as_table();
      const std::string name = table != nullptr && !table->empty()
                                   ? section + "." + std::string(table->begin()->first.str())
                                   : section;
      fail_unknown(place(path, node.source()), name);
    }
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      fail(place(path, node.source()), section + " is a section: write [" + section + "]");
    }
    for (const auto& [name, value] : *table) {
      const std::string full = section + "." + std::string(name.str());
      collect([&, &content = value] { read_member(place(path, content.source()), full, content); });
    }
  }

  void read_member(const std::string& where, const std::string& name, const toml::node& value) {
    const Key* key = find_key(name);
    if (key == nullptr) fail_unknown(where, name);
    assign(*key, where + ": " + name, to_value(value), Source::file);
  }

  /// Throws for an unknown variable that is meant for this program. Other variables pass: container
  /// platforms make VERBATIM_SERVICE_HOST and the like.
  static void require_foreign(const std::string& where, const std::string& variable) {
    // For commands that call a running relay (server/app/relay_client.hpp); the name is near to
    // that of repair.key.
    if (variable == "VERBATIM_API_KEY") return;
    std::string name = lower_case(variable.substr(std::string_view("VERBATIM_").size()));
    const auto underscore = name.find('_');
    if (underscore == std::string::npos) return;
    name[underscore] = '.';
    const bool ours = std::any_of(keys().begin(), keys().end(), [&](const Key& key) {
      return section_of(key.name) == section_of(name);
    });
    if (ours || nearest_key(name).distance <= 2) fail_unknown(where, name);
  }

  static bool is_set(const std::vector<std::string>& environment, const std::string& variable) {
    return std::any_of(environment.begin(), environment.end(), [&](const std::string& entry) {
      return entry.starts_with(variable + "=") && entry.size() > variable.size() + 1;
    });
  }

  static Value from_text(const Key& key, const std::string& where, const std::string& text) {
    switch (key.shape) {
      case Shape::text:
        return text;
      case Shape::integer: {
        const auto number = parse_integer(text);
        return number ? Value(*number) : Value(text);
      }
      case Shape::boolean:
        return text == "true" ? Value(true) : text == "false" ? Value(false) : Value(text);
      case Shape::list:
        return list_from_text(key, where, text);
    }
    return nullptr;
  }

  static Value list_from_text(const Key& key, const std::string& where, const std::string& text) {
    if (text.starts_with('[')) {
      try {
        return to_value(*toml::parse("list = " + text).get("list"));
      } catch (const toml::parse_error& error) {
        fail(where, std::string(error.description()) + "; expected " + key.accepts);
      }
    }
    Value list = Value::array();
    std::stringstream stream(text);
    for (std::string element; std::getline(stream, element, ',');) {
      const auto begin = element.find_first_not_of(' ');
      if (begin == std::string::npos) continue;
      list.push_back(element.substr(begin, element.find_last_not_of(' ') + 1 - begin));
    }
    return list;
  }

  void assign(const Key& key, const std::string& where, const Value& value, Source source) {
    try {
      key.read(settings_, value, source);
    } catch (const BadValue& bad) {
      rejected_.push_back(key.name);
      fail(where, std::string(bad.what()) + "; expected " + key.accepts);
    }
    const bool named = where.ends_with(key.name) || where.ends_with(key.name + ")");
    origins_.emplace_back(key.name, named ? where : where + " (" + key.name + ")");
  }

  /// The source that set a key last; only its name if it has its default.
  std::string where(const std::string& name) const {
    const auto found = std::find_if(origins_.rbegin(), origins_.rend(),
                                    [&](const auto& origin) { return origin.first == name; });
    return found == origins_.rend() ? name : found->second;
  }

  Settings settings_;
  std::vector<std::pair<std::string, std::string>> origins_;
  std::vector<std::string> wrong_;
  std::vector<std::string> rejected_;  ///< keys
};

}  // namespace

Settings load_what_is_right(const Sources& sources, std::vector<std::string>& wrong) {
  Reader reader;
  reader.read(sources);
  return reader.finish(wrong);
}

Settings load(const Sources& sources) {
  std::vector<std::string> wrong;
  Settings settings = load_what_is_right(sources, wrong);
  if (wrong.empty()) return settings;
  std::string all;
  for (const std::string& one : wrong) all += (all.empty() ? "" : "\n") + one;
  throw ConfigError(all);
}

}  // namespace verbatim::config
