#include "session/transcript/item_content.hpp"

#include "base/json/writer.hpp"

namespace verbatim::transcript {

namespace {

using json::Kind;
using json::View;

bool is_provider_set(std::string_view key) { return key == "object" || key == "status"; }

bool is_identity(std::string_view key) { return key == "id" || key == "type" || key == "role"; }

/// A part with nothing but a type and text. Some servers send a plain string, or no type.
bool is_plain(View part) {
  if (part.is(Kind::string)) return true;
  const std::string_view type = part["type"].between_quotes();
  if (!is_text_part(type) && !(type.empty() && part["text"].is(Kind::string))) return false;
  for (json::Members members(part); members.next();) {
    const View value = members.value();
    if (members.key() == "type" || members.key() == "audio" || value.is(Kind::null)) continue;
    const bool text = members.key() == "text" || members.key() == "transcript";
    if (!text || !value.is(Kind::string)) return false;
  }
  return true;
}

bool is_plain_content(View content) {
  if (content.is(Kind::null) || content.is(Kind::string)) return true;
  if (!content.is(Kind::array)) return false;
  for (json::Elements parts(content); parts.next();)
    if (!is_plain(parts.value())) return false;
  return true;
}

bool text_says_all(View item) {
  for (json::Members members(item); members.next();) {
    const std::string_view key = members.key();
    if (is_identity(key) || is_provider_set(key) || members.value().is(Kind::null)) continue;
    if (key != "content" || !is_plain_content(members.value())) return false;
  }
  return true;
}

std::string content_without_audio(View content) {
  if (!content.is(Kind::array)) return std::string(content.raw());
  std::string out = "[";
  for (json::Elements parts(content); parts.next();) {
    if (out.size() > 1) out += ',';
    out += without_audio(parts.value());
  }
  return out + ']';
}

}  // namespace

bool is_audio_part(std::string_view type) {
  return type == "input_audio" || type == "output_audio" || type == "audio";
}

bool is_text_part(std::string_view type) {
  return type == "input_text" || type == "output_text" || type == "text" || is_audio_part(type);
}

std::string without_audio(View part) {
  if (!part["audio"].is(Kind::string)) return std::string(part.raw());
  json::ObjectWriter out;
  for (json::Members members(part); members.next();)
    if (members.key() != "audio") out.add(members.key(), members.value().raw());
  return out.text();
}

std::string beyond_text(View item) {
  if (text_says_all(item)) return {};
  json::ObjectWriter out;
  for (json::Members members(item); members.next();) {
    const std::string_view key = members.key();
    if (is_provider_set(key)) continue;
    if (key != "content") {
      out.add(key, members.value().raw());
    } else if (!is_plain_content(members.value())) {
      out.add(key, content_without_audio(members.value()));
    }
  }
  return out.text();
}

std::string without_status(View item) {
  json::ObjectWriter out;
  for (json::Members members(item); members.next();)
    if (!is_provider_set(members.key())) out.add(members.key(), members.value().raw());
  return out.text();
}

}  // namespace verbatim::transcript
