#include "server/api/requests/instruction_templates.hpp"

#include <algorithm>
#include <cstdint>
#include <map>

#include "base/json/tree.hpp"
#include "base/utf8.hpp"

namespace verbatim::requests {
namespace {

using config::TemplateVariable;

/// A character that ends a line, is invisible, or changes the text's direction.
bool is_hidden(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xAD || c == 0x61C || c == 0x180E ||
         (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF0 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE0FFF);
}

std::uint32_t code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(sequence[i]));
  };
  switch (sequence.size()) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3:
      return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
             (byte(3) & 0x3F);
  }
}

/// The reason why the text may not stand in instructions; empty if it may.
std::string trouble_with(const TemplateVariable& variable, const std::string& text) {
  // By bytes first, before the text is read: a character has four at most.
  if (text.size() > 4 * variable.length)
    return "has more than " + std::to_string(variable.length) + " characters";
  std::size_t length = 0;
  for (std::string_view rest = text; !rest.empty(); ++length) {
    const std::size_t size = utf8::sequence_length(rest);
    if (size == 0) return "is not UTF-8";
    const std::uint32_t c = code_point(rest.substr(0, size));
    if (is_hidden(c))
      return "has a line break, a control character or an invisible character at position " +
             std::to_string(length + 1);
    if (c == '<' || c == '>')
      return "has " + std::string(1, static_cast<char>(c)) + " at position " +
             std::to_string(length + 1) + "; < and > mark where values begin and end";
    rest.remove_prefix(size);
  }
  for (const char* mark : {"{{", "}}", "```"}) {
    if (text.find(mark) != std::string::npos)
      return std::string("has ") + mark + ", which is reserved for placeholders and code blocks";
  }
  if (length > variable.length)
    return "has " + std::to_string(length) + " characters; at most " +
           std::to_string(variable.length) + " are accepted";
  if (!variable.pattern.matches(text)) return "does not match " + variable.pattern.expression();
  return {};
}

tl::unexpected<BadVariable> bad_variable(std::string place, std::string why) {
  return tl::unexpected(BadVariable{std::move(place), std::move(why)});
}

tl::expected<std::string, BadVariable> inserted(const TemplateVariable& variable,
                                                const Json& value) {
  const std::string place = "verbatim.variables." + variable.name;
  const auto wrong = [&place](std::string why) { return bad_variable(place, std::move(why)); };
  if (variable.type == TemplateVariable::Type::integer) {
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX) &&
                      value.get<std::int64_t>() >= variable.min &&
                      value.get<std::int64_t>() <= variable.max;
    if (!fits)
      return wrong("must be a whole number from " + std::to_string(variable.min) + " to " +
                   std::to_string(variable.max));
    return std::to_string(value.get<std::int64_t>());
  }
  if (!value.is_string()) return wrong("must be a string");
  const std::string text = value.get<std::string>();
  if (variable.type == TemplateVariable::Type::choice) {
    const auto& values = variable.values;
    if (std::find(values.begin(), values.end(), text) == values.end())
      return wrong("is not one of the template's values for it");
    return text;
  }
  if (std::string why = trouble_with(variable, text); !why.empty()) return wrong(std::move(why));
  return "<value name=\"" + variable.name + "\">" + text + "</value>";
}

}  // namespace

tl::expected<std::string, BadVariable> instructions_of(
    const std::vector<config::InstructionTemplate>& templates, const std::string& name,
    const Json& variables) {
  const auto found = std::find_if(templates.begin(), templates.end(),
                                  [&name](const auto& one) { return one.name == name; });
  if (found == templates.end())
    return bad_variable("verbatim.template", "is not the name of a template in policy.templates");
  std::map<std::string, std::string> values;
  for (const TemplateVariable& variable : found->variables) {
    const auto given = variables.find(variable.name);
    if (given == variables.end())
      return bad_variable("verbatim.variables." + variable.name, "is missing");
    auto made = inserted(variable, *given);
    if (!made) return made;
    values[variable.name] = *std::move(made);
  }
  for (const auto& [given, value] : variables.items()) {
    if (!values.contains(given))
      return bad_variable("verbatim.variables",
                          "has a member that is not one of the template's variables");
  }
  // In one pass over the template: inserted values are not searched.
  std::string out;
  const std::string& text = found->text;
  std::size_t done = 0;
  for (std::size_t at = text.find("{{"); at != std::string::npos; at = text.find("{{", done)) {
    const std::size_t end = text.find("}}", at);
    out.append(text, done, at - done).append(values.at(text.substr(at + 2, end - at - 2)));
    done = end + 2;
  }
  return out.append(text, done);
}

}  // namespace verbatim::requests
