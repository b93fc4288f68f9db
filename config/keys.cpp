#include "config/keys.hpp"

#include <algorithm>
#include <utility>

#include "config/declare.hpp"
#include "config/secrets.hpp"

namespace verbatim::config {

std::vector<std::string> the_file(const Value& value) {
  return value.is_string() ? std::vector{value.get<std::string>()} : std::vector<std::string>{};
}

std::vector<std::string> files_of_targets(const Value& targets) {
  std::vector<std::string> files;
  for (const Value& target : targets) {
    if (target.contains("secret_file")) files.push_back(member(target, "secret_file"));
  }
  return files;
}

bool same_targets(const std::vector<WebhookTarget>& left, const std::vector<WebhookTarget>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const WebhookTarget& one, const WebhookTarget& other) {
                      return one.name == other.name && one.url == other.url &&
                             one.events == other.events && one.allow_private == other.allow_private;
                    });
}

Key watched(Key key, SecretFiles files) {
  key.read = [read = std::move(key.read), name = key.name, files](
                 Settings& settings, const Value& value, Source source) {
    read(settings, value, source);
    std::erase_if(settings.warnings, [&](const std::string& one) {
      return one.starts_with(name + ":");  // from a value that this one replaces
    });
    for (const std::string& file : files(value)) {
      const std::string warning = secret_file_warning(file);
      if (!warning.empty()) settings.warnings.push_back(name + ": " + warning);
    }
  };
  return key;
}

std::string environment_variable(std::string name) {
  for (char& c : name) {
    if (c == '.') c = '_';
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return "VERBATIM_" + name;
}

std::string section_of(const std::string& name) { return name.substr(0, name.find('.')); }
std::string member_of(const std::string& name) { return name.substr(name.find('.') + 1); }

const std::vector<Key>& keys() {
  static const std::vector<Key> table = [] {
    std::vector<Key> all;
    for (auto make : {make_server_keys, make_auth_keys, make_upstream_keys, make_session_keys,
                      make_limit_keys, make_storage_keys, make_bucket_keys, make_repair_keys,
                      make_trace_keys, make_fleet_keys, make_operator_keys}) {
      for (Key& key : make()) all.push_back(std::move(key));
    }
    return all;
  }();
  return table;
}

Settings::Settings() {
  for (const Key& key : keys()) key.set_default(*this);
}

}  // namespace verbatim::config
