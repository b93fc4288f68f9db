#include "server/api/reference/page.hpp"

#include "base/ascii.hpp"
#include "server/api/reference/html.hpp"

namespace verbatim::api {

namespace {

constexpr const char* methods[] = {"get", "post", "put", "patch", "delete"};

std::string anchor(std::string name) {
  for (char& c : name)
    if (c == ' ') c = '-';
  return escaped(name);
}

std::string upper_case(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

/// One operation with the parts around it.
struct Operation {
  std::string method;
  std::string path;  ///< of a webhook: its name
  const Description& item;
  const Description& operation;

  std::string id() const { return text_of(operation, "operationId"); }
  std::string title() const { return method + " " + path; }
};

bool has_tag(const Description& operation, const std::string& tag) {
  if (!operation.contains("tags")) return false;
  for (const Description& one : operation["tags"])
    if (one == tag) return true;
  return false;
}

std::vector<Operation> operations(const Description& document, const std::string& tag) {
  std::vector<Operation> found;
  for (const char* const group : {"paths", "webhooks"}) {
    if (!document.contains(group)) continue;
    for (const auto& [path, item] : document[group].items()) {
      for (const char* const method : methods) {
        const auto operation = item.find(method);
        if (operation != item.end() && has_tag(*operation, tag))
          found.push_back({upper_case(method), path, item, *operation});
      }
    }
  }
  return found;
}

std::string parameters(const Operation& one, const Description& document) {
  std::string rows;
  for (const Description* const owner : {&one.item, &one.operation}) {
    if (!owner->contains("parameters")) continue;
    for (const Description& given : (*owner)["parameters"]) {
      const Description& parameter = resolved(given, document);
      const bool required = parameter.value("required", false);
      rows += "<tr><td>" + code(text_of(parameter, "name")) +
              (required ? " <em>required</em>" : "") + "</td><td>" +
              escaped(text_of(parameter, "in")) + "</td><td>" +
              (parameter.contains("schema") ? type_in_html(parameter["schema"]) : "") +
              "</td><td>" + prose(text_of(parameter, "description")) + "</td></tr>\n";
    }
  }
  if (rows.empty()) return "";
  return "<h4>Parameters</h4>\n<table><thead><tr><th>Name</th><th>In</th><th>Type</th>"
         "<th>Meaning</th></tr></thead><tbody>\n" +
         rows + "</tbody></table>\n";
}

std::string content_in_html(const Description& owner, const Description& document) {
  if (!owner.contains("content")) return "";
  std::string text;
  for (const auto& [type, media] : owner["content"].items()) {
    text += "<p>" + code(type);
    if (media.contains("schema")) text += ": " + type_in_html(media["schema"]);
    text += "</p>\n";
    // A schema of the page has its own table there.
    if (media.contains("schema")) text += property_table(media["schema"], document);
    text += examples_in_html(media);
  }
  return text;
}

std::string request_body(const Operation& one, const Description& document) {
  if (!one.operation.contains("requestBody")) return "";
  const Description& body = resolved(one.operation["requestBody"], document);
  return "<h4>Body</h4>\n" + paragraph(text_of(body, "description")) +
         content_in_html(body, document);
}

std::string credentials(const Operation& one, const Description& document) {
  const auto security = one.operation.find("security");
  if (security == one.operation.end()) return "";
  std::string text;
  for (const Description& alternative : *security)
    for (const auto& [name, scopes] : alternative.items())
      text += (text.empty() ? "" : " Or: ") +
              escaped(text_of(document["components"]["securitySchemes"][name], "description"));
  return "<p class=\"soft\">Credential: " + (text.empty() ? "none." : text) + "</p>\n";
}

std::string answers(const Operation& one, const Description& document) {
  std::string text = "<h4>Answers</h4>\n<dl>\n";
  for (const auto& [status, given] : one.operation["responses"].items()) {
    const Description& answer = resolved(given, document);
    text += "<dt>" + code(status) + "</dt><dd>" + paragraph(text_of(answer, "description")) +
            content_in_html(answer, document) + "</dd>\n";
  }
  return text + "</dl>\n";
}

std::string section(const Operation& one, const Description& document) {
  return "<section id=\"" + anchor(one.id()) + "\">\n<h3><span class=\"method\">" +
         escaped(one.method) + "</span> " + code(one.path) + "</h3>\n" +
         paragraph(text_of(one.operation, "summary") + ".") +
         paragraph(text_of(one.operation, "description")) + credentials(one, document) +
         parameters(one, document) + request_body(one, document) + answers(one, document) +
         "</section>\n";
}

std::string contents(const Description& document) {
  std::string text = "<nav aria-label=\"Contents\">\n";
  for (const Description& tag : document["tags"]) {
    const std::string name = text_of(tag, "name");
    text += "<p><a href=\"#tag-" + anchor(name) + "\">" + escaped(name) + "</a></p>\n<ul>\n";
    for (const Operation& one : operations(document, name))
      text += "<li><a href=\"#" + anchor(one.id()) + "\">" + escaped(one.title()) + "</a></li>\n";
    text += "</ul>\n";
  }
  return text +
         "<p><a href=\"#problems\">problems</a></p>\n<p><a href=\"#schemas\">schemas</a></p>\n"
         "</nav>\n";
}

/// The stable names of errors, from the extension x-problems of the schema Problem.
std::string problems(const Description& document) {
  const Description& schema = document["components"]["schemas"]["Problem"];
  std::string text = "<h2 id=\"problems\">Problems</h2>\n" +
                     paragraph(text_of(schema, "description")) +
                     "<table><thead><tr><th>Type</th><th>Title</th><th>Status</th><th>Meaning</th>"
                     "<th>What to do</th></tr></thead><tbody>\n";
  for (const Description& one : schema["x-problems"]) {
    const std::string type = text_of(one, "type");
    text += "<tr id=\"problem-" + escaped(type.substr(type.rfind(':') + 1)) + "\"><td>" +
            code(type) + "</td><td>" + escaped(text_of(one, "title")) + "</td><td>" +
            escaped(text_of(one, "status")) + "</td><td>" + prose(text_of(one, "meaning")) +
            "</td><td>" + prose(text_of(one, "advice")) + "</td></tr>\n";
  }
  return text + "</tbody></table>\n";
}

std::string schemas(const Description& document) {
  std::string text = "<h2 id=\"schemas\">Schemas</h2>\n";
  for (const auto& [name, schema] : document["components"]["schemas"].items()) {
    const std::string table = property_table(schema, document);
    text += "<section id=\"schema-" + anchor(name) + "\">\n<h3>" + escaped(name) + "</h3>\n" +
            paragraph(text_of(schema, "description")) +
            (table.empty() ? "<p>" + type_in_html(schema) + "</p>\n" : table) +
            examples_in_html(schema) + "</section>\n";
  }
  return text;
}

}  // namespace

std::string reference_page(const Description& document) {
  const Description& info = document["info"];
  const std::string title = text_of(info, "title") + " " + text_of(info, "version") + ": HTTP API";
  std::string page =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
      escaped(title) +
      "</title>\n<link rel=\"icon\" href=\"data:,\">\n"
      "<link rel=\"stylesheet\" href=\"reference.css\">\n</head>\n<body>\n"
      "<a class=\"skip\" href=\"#content\">Skip to the content</a>\n" +
      contents(document) + "<main id=\"content\">\n<h1>" + escaped(title) + "</h1>\n" +
      paragraph(text_of(info, "description")) +
      "<p>The same as a document for programs: <a href=\"../openapi.json\">openapi.json</a>. "
      "The relay's page: <a href=\"../\">console</a>.</p>\n";
  for (const Description& tag : document["tags"]) {
    const std::string name = text_of(tag, "name");
    page += "<h2 id=\"tag-" + anchor(name) + "\">" + escaped(name) + "</h2>\n" +
            paragraph(text_of(tag, "description"));
    for (const Operation& one : operations(document, name)) page += section(one, document);
  }
  return page + problems(document) + schemas(document) + "</main>\n</body>\n</html>\n";
}

}  // namespace verbatim::api
