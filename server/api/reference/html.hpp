// Pieces of HTML for the reference page. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "server/api/reference/page.hpp"

namespace verbatim::api {

/// The text with the characters escaped that HTML gives a meaning.
std::string escaped(std::string_view text);
std::string code(std::string_view text);
/// The text of a description: words in backticks become code.
std::string prose(std::string_view text);
/// `<p>`; nothing for an empty text.
std::string paragraph(std::string_view text);
/// The text of a member; empty if it is missing.
std::string text_of(const Description& object, const char* member);
/// The object itself, or the one that its $ref names.
const Description& resolved(const Description& object, const Description& document);

/// "string", "array of Turn", ...: with links to the schemas of the page.
std::string type_in_html(const Description& schema);
/// The rows of a schema's properties, those of inner objects with the path of their names.
std::string property_table(const Description& schema, const Description& document);
/// Examples of a media type, folded.
std::string examples_in_html(const Description& media);

}  // namespace verbatim::api
