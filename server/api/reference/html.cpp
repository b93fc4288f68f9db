#include "server/api/reference/html.hpp"

#include <algorithm>

namespace verbatim::api {

namespace {

constexpr int depth_max = 5;

std::string last_of(const std::string& reference) {
  return reference.substr(reference.rfind('/') + 1);
}

std::string joined_types(const Description& list, const char* between) {
  std::string text;
  for (const Description& one : list) text += (text.empty() ? "" : between) + type_in_html(one);
  return text;
}

/// "one of a, b, c"; a JSON value as it is written.
std::string values_in_html(const Description& values) {
  std::string text;
  for (const Description& one : values)
    text +=
        (text.empty() ? "" : ", ") + code(one.is_string() ? one.get<std::string>() : one.dump());
  return "one of " + text;
}

std::string bounds_in_html(const Description& schema) {
  static constexpr std::pair<const char*, const char*> bounds[] = {
      {"format", "format"},     {"minimum", "at least"},       {"maximum", "at most"},
      {"maxLength", "longest"}, {"maxItems", "most elements"}, {"pattern", "pattern"},
      {"default", "default"}};
  std::string text;
  for (const auto& [member, words] : bounds) {
    const auto found = schema.find(member);
    if (found == schema.end()) continue;
    text += std::string(", ") + words + " " +
            code(found->is_string() ? found->get<std::string>() : found->dump());
  }
  return text;
}

std::string plain_type(const Description& schema) {
  const auto type = schema.find("type");
  if (type == schema.end()) return schema.contains("properties") ? "object" : "any value";
  if (type->is_string()) {
    if (*type == "array" && schema.contains("items"))
      return "array of " + type_in_html(schema["items"]);
    return escaped(type->get<std::string>());
  }
  std::string text;
  for (const Description& one : *type)
    text += (text.empty() ? "" : " or ") + escaped(one.get<std::string>());
  return text;
}

/// The object whose properties stand in the table: also of the elements of an array.
const Description* inner_object(const Description& schema) {
  if (schema.contains("properties")) return &schema;
  const auto items = schema.find("items");
  if (items != schema.end() && items->contains("properties")) return &*items;
  return nullptr;
}

bool is_required(const Description& schema, const std::string& name) {
  const auto required = schema.find("required");
  return required != schema.end() &&
         std::find(required->begin(), required->end(), name) != required->end();
}

void add_rows(const Description& schema, const Description& document, const std::string& prefix,
              int depth, std::string& rows) {
  for (const char* const group : {"allOf", "oneOf", "anyOf"}) {
    if (!schema.contains(group)) continue;
    for (const Description& one : schema[group])
      if (!one.contains("$ref")) add_rows(one, document, prefix, depth, rows);
  }
  const Description* const object = inner_object(schema);
  if (object == nullptr || depth > depth_max) return;
  for (const auto& [name, property] : (*object)["properties"].items()) {
    rows += "<tr><td>" + code(prefix + name) +
            (is_required(*object, name) ? " <em>required</em>" : "") + "</td><td>" +
            type_in_html(property) + "</td><td>" + prose(text_of(property, "description")) +
            "</td></tr>\n";
    if (!property.contains("$ref"))
      add_rows(property, document, prefix + name + ".", depth + 1, rows);
  }
}

std::string folded(const std::string& title, const Description& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump(2);
  return "<details><summary>" + escaped(title) + "</summary><pre><code>" + escaped(text) +
         "</code></pre></details>\n";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string code(std::string_view text) { return "<code>" + escaped(text) + "</code>"; }

std::string prose(std::string_view text) {
  std::string html;
  while (!text.empty()) {
    const std::size_t begin = text.find('`');
    const std::size_t end = begin == text.npos ? text.npos : text.find('`', begin + 1);
    if (end == text.npos) return html + escaped(text);
    html += escaped(text.substr(0, begin)) + code(text.substr(begin + 1, end - begin - 1));
    text.remove_prefix(end + 1);
  }
  return html;
}

std::string paragraph(std::string_view text) {
  return text.empty() ? "" : "<p>" + prose(text) + "</p>\n";
}

std::string text_of(const Description& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const Description& resolved(const Description& object, const Description& document) {
  const std::string reference = text_of(object, "$ref");
  if (!reference.starts_with("#/")) return object;
  return document.at(Description::json_pointer(reference.substr(1)));
}

std::string type_in_html(const Description& schema) {
  if (const std::string reference = text_of(schema, "$ref"); !reference.empty()) {
    const std::string name = escaped(last_of(reference));
    return "<a href=\"#schema-" + name + "\">" + name + "</a>";
  }
  for (const char* const group : {"oneOf", "anyOf"})
    if (schema.contains(group)) return joined_types(schema[group], " or ");
  if (schema.contains("allOf")) return joined_types(schema["allOf"], " and ");
  if (schema.contains("enum")) return values_in_html(schema["enum"]);
  if (schema.contains("const")) return values_in_html(Description::array({schema["const"]}));
  return plain_type(schema) + bounds_in_html(schema);
}

std::string property_table(const Description& schema, const Description& document) {
  std::string rows;
  add_rows(schema, document, "", 0, rows);
  if (rows.empty()) return "";
  return "<table><thead><tr><th>Member</th><th>Type</th><th>Meaning</th></tr></thead><tbody>\n" +
         rows + "</tbody></table>\n";
}

std::string examples_in_html(const Description& media) {
  std::string text;
  if (media.contains("example")) text += folded("Example", media["example"]);
  if (media.contains("examples"))
    for (const auto& [name, one] : media["examples"].items())
      if (one.contains("value")) text += folded("Example: " + name, one["value"]);
  return text;
}

}  // namespace verbatim::api
