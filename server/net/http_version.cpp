#include "server/net/http_version.hpp"

namespace verbatim::net {

namespace {

constexpr std::string_view protocol_name = "HTTP/";
constexpr std::size_t version_bytes = 8;  // HTTP/1.1

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_version(std::string_view text) {
  return text.size() == version_bytes && text.starts_with(protocol_name) && is_digit(text[5]) &&
         text[6] == '.' && is_digit(text[7]);
}

/// Form: METHOD SP TARGET SP VERSION. Without the second space the text is still the target.
std::string_view version_of_request(std::string_view line) {
  if (line.size() <= version_bytes) return {};
  const std::size_t at = line.size() - version_bytes;
  const bool third = line[at - 1] == ' ' && line.find(' ') < at - 1;
  return third ? line.substr(at) : std::string_view();
}

/// Form: VERSION SP CODE.
std::string_view version_of_response(std::string_view line) {
  const bool ends =
      line.size() == version_bytes || line.substr(0, version_bytes + 1).ends_with(' ');
  return ends ? line.substr(0, version_bytes) : std::string_view();
}

/// The version in the first line; empty if there is none. Reads an incomplete line too, since the
/// parser refuses a version as soon as it has arrived.
std::string_view version_in(std::string_view bytes, FirstLine kind) {
  std::string_view line = bytes.substr(0, bytes.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::string_view version =
      kind == FirstLine::request ? version_of_request(line) : version_of_response(line);
  return is_version(version) ? version : std::string_view();
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

}  // namespace verbatim::net
