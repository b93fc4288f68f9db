// The format of one kind of setting: what it accepts, how to read it and how to print it. The table
// of keys (keys.hpp) combines a format with a field.
//
// Pure, but formats of secrets and templates read files. A rejected value throws BadValue.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

namespace verbatim::config {

/// A TOML value as JSON, for reading and printing.
using Value = OrderedJson;

/// How a plain string (environment, --set) becomes a value.
enum class Shape { text, integer, boolean, list };

/// The source of a value. Secrets are accepted only from sources that no other user can see.
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
/// From 0 to 1.
Format<double> ratio();
Format<std::string> name(std::string accepts, bool may_be_empty = false);
Format<std::string> parameter();
Format<std::filesystem::path> path(std::string accepts, bool may_be_empty = true);
Format<Endpoint> endpoint(bool may_be_empty);
Format<std::string> upstream_url();
Format<std::string> proxy_url();
Format<std::string> collector_url();
/// A server for transcriptions.
Format<std::string> engine_url();
Format<std::vector<std::string>> origins();
/// Normalised: no slash at the end, scheme and host in lower case, no default port.
Format<std::string> public_url();
Format<std::vector<Network>> networks();
Format<std::vector<std::string>> event_types();
/// Paths of fields in a session object.
Format<std::vector<std::string>> fields(std::string accepts);
/// Reads the files that the templates name.
Format<std::vector<InstructionTemplate>> instruction_templates();
Format<std::vector<ApiKey>> api_keys();
Format<std::vector<WebhookTarget>> webhook_targets();
Format<std::vector<ModelPrices>> model_prices();
/// The secret itself. `advice` is the error message if it comes from anywhere but the environment.
Format<Secret> secret(std::string accepts, std::string advice);
/// The name of the file that holds the secret. Prints nothing, because the path is not stored.
/// `several`: one secret a line.
Format<Secret> secret_file(bool several = false);

/// The string value of an inline table's member; empty if the member is missing.
std::string member(const Value& table, const char* name);
/// Throws BadValue if the table has a member that is not in `known`.
void require_members(const Value& table, const std::vector<std::string>& known);

/// The string of a value. Throws BadValue unless it is a string of plain text.
const std::string& string_of(const Value&);

/// One of a fixed set of names.
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
            throw BadValue("\"" + text + "\" is unknown");
          },
          [names](const T& value) {
            const auto found = std::find_if(names.begin(), names.end(),
                                            [&](const auto& pair) { return pair.second == value; });
            return Value(found->first);
          }};
}

}  // namespace verbatim::config
