// How one kind of setting is written: what it accepts, how it is read from a value, how it is
// printed. The table of keys puts a format and a field together.
//
// Pure but for secrets' files, which are read; a refusal is a BadValue that does not say where.
#pragma once

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "config/settings.hpp"
#include "config/values.hpp"

namespace verbatim::config {

/// TOML values as JSON: what is read and what is printed.
using Value = nlohmann::ordered_json;

/// How a bare text (environment, --set) becomes a value.
enum class Shape { text, integer, boolean, list };

/// A secret may be given where only its owner can see it.
enum class Source { file, environment, command_line };

template <class T>
struct Format {
  Shape shape;
  std::string accepts;
  std::function<T(const Value&, Source)> read;
  std::function<Value(const T&)> print;
};

Format<milliseconds> duration(milliseconds min, milliseconds max);
Format<std::size_t> bytes(std::size_t min, std::size_t max);
/// T is int or std::size_t.
template <class T>
Format<T> number(std::int64_t min, std::int64_t max);
Format<bool> boolean();
Format<std::string> name(std::string accepts, bool may_be_empty = false);
Format<std::string> parameter();
Format<std::filesystem::path> path(std::string accepts, bool may_be_empty = true);
Format<Endpoint> endpoint(bool may_be_empty);
Format<std::string> upstream_url();
Format<std::string> proxy_url();
Format<std::vector<std::string>> origins();
/// Kept without a slash at its end, scheme and host in lower case, without the scheme's usual port.
Format<std::string> public_url();
Format<std::vector<Network>> networks();
Format<std::vector<std::string>> event_types();
/// Paths of fields in a session object.
Format<std::vector<std::string>> fields(std::string accepts);
/// Their files are read.
Format<std::vector<InstructionTemplate>> instruction_templates();
Format<std::vector<ApiKey>> api_keys();
Format<std::vector<WebhookTarget>> webhook_targets();
/// The secret itself; `advice` says where it belongs if it stands anywhere but in the environment.
Format<Secret> secret(std::string accepts, std::string advice);
/// The name of a file that holds it. Prints nothing: the path is not kept.
Format<Secret> secret_file();

/// The text of an inline table's member; empty if there is none.
std::string member(const Value& table, const char* name);
/// A table must have only the members that are known.
void require_members(const Value& table, const std::vector<std::string>& known);

/// The text of a value; refused unless it is plain text.
const std::string& string_of(const Value&);

/// One of a closed set of names.
template <class T>
Format<T> choice(std::vector<std::pair<std::string, T>> names) {
  std::string accepts;
  for (const auto& [name, value] : names) accepts += (accepts.empty() ? "" : ", ") + name;
  return {Shape::text, "one of " + accepts,
          [names](const Value& value, Source) {
            const std::string& text = string_of(value);
            for (const auto& [name, meaning] : names) {
              if (name == text) return meaning;
            }
            throw BadValue("\"" + text + "\" is none of them");
          },
          [names](const T& value) {
            const auto found = std::find_if(names.begin(), names.end(),
                                            [&](const auto& pair) { return pair.second == value; });
            return Value(found->first);
          }};
}

}  // namespace verbatim::config
