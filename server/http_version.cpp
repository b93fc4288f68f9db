#include "server/http_version.hpp"

namespace verbatim::server {

namespace {

constexpr std::string_view protocol_name = "HTTP/";
constexpr std::size_t version_bytes = 8;  // HTTP/1.1

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_version(std::string_view text) {
  return text.size() == version_bytes && text.starts_with(protocol_name) && is_digit(text[5]) &&
         text[6] == '.' && is_digit(text[7]);
}

/// The version in the first line; empty if there is none, or the line is not whole yet.
std::string_view version_in(std::string_view bytes, FirstLine kind) {
  const std::size_t end = bytes.find('\n');
  if (end == bytes.npos) return {};
  std::string_view line = bytes.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() <= version_bytes) return {};
  const bool first = kind == FirstLine::response;
  const std::size_t at = first ? 0 : line.size() - version_bytes;
  const char border = first ? line[version_bytes] : line[at - 1];
  const std::string_view version = line.substr(at, version_bytes);
  return border == ' ' && is_version(version) ? version : std::string_view();
}

}  // namespace

void lower_minor_version(std::span<char> bytes, FirstLine kind) {
  const std::string_view text(bytes.data(), bytes.size());
  const std::string_view version = version_in(text, kind);
  if (version.empty() || version[5] != '1' || version[7] <= '1') return;
  bytes[static_cast<std::size_t>(version.data() - text.data()) + 7] = '1';
}

bool names_later_major_version(std::string_view bytes) {
  const std::string_view version = version_in(bytes, FirstLine::request);
  return !version.empty() && version[5] > '1';
}

}  // namespace verbatim::server
