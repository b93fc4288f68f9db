// Reads policy.templates: files with instructions, and the variables that tokens may set in them.
#include <algorithm>
#include <fstream>
#include <set>
#include <string_view>

#include "config/formats.hpp"

namespace verbatim::config {
namespace {

constexpr std::size_t template_bytes_max = 256 * 1024;
constexpr std::int64_t text_length_max = 1000;
constexpr std::size_t character_bytes_max = 4;
/// The largest text that a template may produce with any values. The text is stored with each token
/// and sent to the provider at the beginning of each conversation.
constexpr std::size_t instructions_bytes_max = 1024 * 1024;

bool is_name(const std::string& text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), good);
}

std::int64_t integer(const Value& table, const char* name, std::int64_t otherwise) {
  const auto at = table.find(name);
  if (at == table.end()) return otherwise;
  if (!at->is_number_integer())
    throw BadValue(std::string("has a ") + name + " that is not a number");
  return at->get<std::int64_t>();
}

TemplateVariable read_variable(const Value& value) {
  if (!value.is_object()) throw BadValue("has a template with a variable that is not a table");
  TemplateVariable variable;
  variable.name = member(value, "name");
  if (!is_name(variable.name))
    throw BadValue("has a variable with a bad name: use lower-case letters, digits and _");
  const std::string type = value.contains("type") ? member(value, "type") : "text";
  const std::string of_it = " of the variable " + variable.name;
  if (type == "text") {
    require_members(value, {"name", "type", "length", "pattern"});
    const std::int64_t length = integer(value, "length", 200);
    if (length < 1 || length > text_length_max)
      throw BadValue("has a length" + of_it + " that is not from 1 to 1000");
    variable.length = static_cast<std::size_t>(length);
    try {
      variable.pattern = Pattern(member(value, "pattern"));
    } catch (const Pattern::Malformed& error) {
      throw BadValue("has a pattern" + of_it +
                     " that is not a regular expression: " + error.what());
    }
  } else if (type == "integer") {
    require_members(value, {"name", "type", "min", "max"});
    variable.type = TemplateVariable::Type::integer;
    variable.min = integer(value, "min", variable.min);
    variable.max = integer(value, "max", variable.max);
    if (variable.min > variable.max)
      throw BadValue("has a min" + of_it + " that is larger than its max");
  } else if (type == "choice") {
    require_members(value, {"name", "type", "values"});
    variable.type = TemplateVariable::Type::choice;
    const auto values = value.find("values");
    if (values == value.end() || !values->is_array() || values->empty())
      throw BadValue("lacks the list of values" + of_it);
    for (const Value& one : *values) {
      variable.values.push_back(string_of(one));
      if (variable.values.back().size() > text_length_max)
        throw BadValue("has a value" + of_it + " that is longer than 1000 bytes");
    }
  } else {
    throw BadValue("has a type" + of_it + " that is not one of text, integer, choice");
  }
  return variable;
}

std::string read_file(const std::filesystem::path& path) {
  std::error_code unknown;
  // Reading a pipe could block for ever.
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown))
    throw BadValue("names the file " + path.string() + ", which is not a regular file");
  std::ifstream stream(path, std::ios::binary);
  std::string text(template_bytes_max + 1, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || (!stream && stream.gcount() == 0))
    throw BadValue("names the file " + path.string() + ", which cannot be read or is empty");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > template_bytes_max)
    throw BadValue("names the file " + path.string() + ", which is larger than 256KiB");
  return text;
}

/// The largest number of bytes that a variable's value can have in the instructions.
std::size_t bytes_of(const TemplateVariable& variable) {
  constexpr std::size_t digits_max = 20;
  std::size_t longest = 0;
  switch (variable.type) {
    case TemplateVariable::Type::text:
      return variable.length * character_bytes_max + variable.name.size() +
             std::string_view("<value name=\"\"></value>").size();
    case TemplateVariable::Type::integer:
      return digits_max;
    case TemplateVariable::Type::choice:
      for (const std::string& one : variable.values) longest = std::max(longest, one.size());
  }
  return longest;
}

/// Checks that each placeholder names a variable, that each variable has a placeholder, and that
/// the instructions cannot exceed instructions_bytes_max.
void require_places(const InstructionTemplate& made) {
  const std::string of_it = " in " + made.file.string();
  std::set<std::string> used;
  std::size_t bytes = made.text.size();
  for (std::size_t at = made.text.find("{{"); at != std::string::npos;
       at = made.text.find("{{", at)) {
    const std::size_t end = made.text.find("}}", at);
    if (end == std::string::npos) throw BadValue("has a {{ without }}" + of_it);
    const std::string name = made.text.substr(at + 2, end - at - 2);
    const auto known =
        std::find_if(made.variables.begin(), made.variables.end(),
                     [&name](const TemplateVariable& one) { return one.name == name; });
    if (known == made.variables.end())
      throw BadValue("has {{" + name.substr(0, 64) + "}}" + of_it +
                     ", which is not one of the template's variables");
    used.insert(name);
    at = end + 2;
    bytes += bytes_of(*known);
    if (bytes > instructions_bytes_max)
      throw BadValue("allows values" + of_it +
                     " that could make the instructions larger than 1MiB");
  }
  for (const TemplateVariable& one : made.variables) {
    if (!used.contains(one.name))
      throw BadValue("has the variable " + one.name + ", which has no placeholder {{" + one.name +
                     "}}" + of_it);
  }
}

InstructionTemplate read_template(const Value& value) {
  if (!value.is_object()) throw BadValue("contains an element that is not a table");
  require_members(value, {"name", "file", "variables"});
  InstructionTemplate made;
  made.name = member(value, "name");
  if (!is_name(made.name))
    throw BadValue("has a template with a bad name: use lower-case letters, digits and _");
  made.file = member(value, "file");
  if (made.file.empty()) throw BadValue("has a template without a file");
  made.text = read_file(made.file);
  if (const auto at = value.find("variables"); at != value.end()) {
    if (!at->is_array()) throw BadValue("has a template whose variables are not a list");
    std::set<std::string> names;
    for (const Value& one : *at) {
      made.variables.push_back(read_variable(one));
      if (!names.insert(made.variables.back().name).second)
        throw BadValue("has the variable " + made.variables.back().name + " twice in a template");
    }
  }
  require_places(made);
  return made;
}

Value print_variable(const TemplateVariable& variable) {
  Value out{{"name", variable.name}};
  switch (variable.type) {
    case TemplateVariable::Type::text:
      out["type"] = "text";
      out["length"] = variable.length;
      out["pattern"] = variable.pattern.expression();
      break;
    case TemplateVariable::Type::integer:
      out["type"] = "integer";
      out["min"] = variable.min;
      out["max"] = variable.max;
      break;
    case TemplateVariable::Type::choice:
      out["type"] = "choice";
      out["values"] = variable.values;
      break;
  }
  return out;
}

}  // namespace

Format<std::vector<InstructionTemplate>> instruction_templates() {
  return {Shape::list, "a list of { name = \"...\", file = \"...\", variables = [...] }",
          [](const Value& value, Source) {
            if (!value.is_array()) throw BadValue("is not a list");
            std::vector<InstructionTemplate> list;
            std::set<std::string> names;
            for (const Value& one : value) {
              list.push_back(read_template(one));
              if (!names.insert(list.back().name).second)
                throw BadValue("has two templates with the name " + list.back().name);
            }
            return list;
          },
          [](const std::vector<InstructionTemplate>& list) {
            Value out = Value::array();
            for (const InstructionTemplate& one : list) {
              Value variables = Value::array();
              for (const TemplateVariable& variable : one.variables)
                variables.push_back(print_variable(variable));
              out.push_back(
                  {{"name", one.name}, {"file", one.file.string()}, {"variables", variables}});
            }
            return out;
          }};
}

}  // namespace verbatim::config
