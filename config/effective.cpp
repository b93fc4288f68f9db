#include "config/effective.hpp"

#include <vector>

#include "config/keys.hpp"
#include "config/literal.hpp"

namespace verbatim::config {

namespace {

struct ShownKey {
  const Key& key;
  Value value;
};

std::vector<ShownKey> shown_keys(const Settings& settings, Shown shown) {
  std::vector<ShownKey> found;
  const Settings defaults;
  for (const Key& key : keys()) {
    if (key.role == Role::secret_file) continue;
    Value value = key.print(settings);
    if (shown == Shown::changed && value == key.print(defaults)) continue;
    found.push_back({key, std::move(value)});
  }
  return found;
}

}  // namespace

std::string to_toml(const Settings& settings, Shown shown) {
  std::string out;
  std::string section;
  for (const auto& [key, value] : shown_keys(settings, shown)) {
    if (section_of(key.name) != section) {
      section = section_of(key.name);
      out += (out.empty() ? "[" : "\n[") + section + "]\n";
    }
    if (key.role == Role::secret) {
      out += "# " + member_of(key.name) + (value == true ? " is set\n" : " is not set\n");
    } else {
      out += member_of(key.name) + " = " + toml_literal(value) + "\n";
    }
  }
  return out;
}

std::string to_json(const Settings& settings, Shown shown) {
  Value out = Value::object();
  for (auto& [key, value] : shown_keys(settings, shown)) {
    if (key.role == Role::secret) value = value == true ? Value("***") : Value();
    out[section_of(key.name)][member_of(key.name)] = std::move(value);
  }
  return out.dump(2) + "\n";
}

std::string to_toml(const Settings& settings) { return to_toml(settings, Shown::all); }
std::string to_json(const Settings& settings) { return to_json(settings, Shown::all); }

}  // namespace verbatim::config
