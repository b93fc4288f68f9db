// For the declarations of settings in keys_*.cpp: what a row of the table needs.
//
// A declaration has, in this order: the name, the field, the default, what is accepted (with the
// bounds), the help, and `live` if a change needs no restart. Durations and sizes carry their unit.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/formats.hpp"
#include "config/keys.hpp"

namespace verbatim::config {

inline constexpr std::size_t KiB = 1024;
inline constexpr std::size_t MiB = 1024 * KiB;
inline constexpr std::size_t GiB = 1024 * MiB;
inline constexpr milliseconds day = std::chrono::hours(24);

/// At the end of a declaration: SIGHUP takes a change over. Every part that uses the setting must
/// then read it from the settings in force, or have a way to get it.
inline constexpr Reload live = Reload::live;

/// In place of a help: the help of the key above covers this key too.
inline constexpr const char* with_the_last = "";

/// Whether the targets are the same, apart from their secrets, which a reload takes over.
bool same_targets(const std::vector<WebhookTarget>& left, const std::vector<WebhookTarget>& right);

template <class Part, class T>
Key key(std::string name, Part Settings::*section, T Part::*field, std::type_identity_t<T> standard,
        Format<T> format, std::string help, Reload reload = Reload::restart) {
  Key made;
  made.name = std::move(name);
  made.shape = format.shape;
  made.accepts = std::move(format.accepts);
  made.help = std::move(help);
  made.reload = reload;
  made.set_default = [=, standard = std::move(standard)](Settings& settings) {
    settings.*section.*field = standard;
  };
  made.read = [=, read = std::move(format.read)](Settings& settings, const Value& value,
                                                 Source source) {
    settings.*section.*field = read(value, source);
  };
  made.print = [=, print = std::move(format.print)](const Settings& settings) {
    return print ? print(settings.*section.*field) : Value();
  };
  made.copy = [=](Settings& to, const Settings& from) {
    to.*section.*field = from.*section.*field;
  };
  made.same = [=, print = made.print](const Settings& one, const Settings& other) {
    const T& left = one.*section.*field;
    const T& right = other.*section.*field;
    if constexpr (std::is_same_v<T, Secret>)
      return left.reveal() == right.reveal();
    else if constexpr (std::is_same_v<T, std::string>)
      return left == right;
    else if constexpr (std::is_same_v<T, std::vector<WebhookTarget>>)
      return same_targets(left, right);
    else
      return print(one) == print(other);
  };
  return made;
}

/// Returns the names of secret files in a value.
using SecretFiles = std::vector<std::string> (*)(const Value&);
std::vector<std::string> the_file(const Value& value);
std::vector<std::string> files_of_targets(const Value& targets);

/// Adds a warning to the key for each of its files that other users can read or change.
Key watched(Key key, SecretFiles files);

/// A secret has two keys: NAME_file is accepted anywhere, NAME itself only in the environment.
/// `example`: a file's name for the documentation.
template <class Part>
void add_secret(std::vector<Key>& table, const std::string& name, Part Settings::*section,
                Secret Part::*field, const char* example, const char* help,
                Reload reload = Reload::restart) {
  const std::string file = name + "_file";
  const std::string variable = environment_variable(name);
  table.push_back(key(name, section, field, {},
                      secret("a secret of 8 to 4096 characters, only from " + variable,
                             "is not accepted here: use " + file + " or " + variable),
                      help, reload));
  table.back().role = Role::secret;
  table.push_back(watched(key(file, section, field, {}, secret_file(), help, reload), the_file));
  table.back().role = Role::secret_file;
  table.back().example = example;
}

// Each group is declared in a file of its own, keys_GROUP.cpp.
std::vector<Key> make_server_keys();
std::vector<Key> make_auth_keys();
std::vector<Key> make_upstream_keys();
std::vector<Key> make_session_keys();
std::vector<Key> make_limit_keys();
std::vector<Key> make_storage_keys();
std::vector<Key> make_bucket_keys();
std::vector<Key> make_repair_keys();
std::vector<Key> make_trace_keys();
std::vector<Key> make_fleet_keys();
std::vector<Key> make_operator_keys();

}  // namespace verbatim::config
