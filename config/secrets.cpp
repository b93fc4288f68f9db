#include "config/secrets.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string_view>
#include <utility>

#include "config/values.hpp"

namespace verbatim::config {
namespace {

constexpr std::size_t secret_bytes_min = 8;
constexpr std::size_t secret_bytes_max = 4096;

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::string_view wide_mark = "\xFF\xFE";
constexpr std::string_view wide_mark_swapped = "\xFE\xFF";

/// Unicode spaces and characters without width. A tab is rejected as a control character.
constexpr std::array<std::string_view, 24> blanks = {" ",
                                                     "\t",
                                                     "\xC2\xA0",
                                                     "\xC2\xAD",
                                                     "\xE1\x9A\x80",
                                                     "\xE2\x80\x80",
                                                     "\xE2\x80\x82",
                                                     "\xE2\x80\x83",
                                                     "\xE2\x80\x84",
                                                     "\xE2\x80\x87",
                                                     "\xE2\x80\x89",
                                                     "\xE2\x80\x8A",
                                                     "\xE2\x80\x8B",
                                                     "\xE2\x80\x8C",
                                                     "\xE2\x80\x8D",
                                                     "\xE2\x80\x8E",
                                                     "\xE2\x80\x8F",
                                                     "\xE2\x80\xA8",
                                                     "\xE2\x80\xA9",
                                                     "\xE2\x80\xAF",
                                                     "\xE2\x81\x9F",
                                                     "\xE2\x81\xA0",
                                                     "\xE3\x80\x80",
                                                     "\xEF\xBB\xBF"};

constexpr std::array<std::string_view, 9> quotes = {
    "\"",           "'",        "`",       "\xE2\x80\x98", "\xE2\x80\x99", "\xE2\x80\x9C",
    "\xE2\x80\x9D", "\xC2\xAB", "\xC2\xBB"};

void refuse_unseen(std::string_view line) {
  for (const std::string_view mark : {byte_order_mark, wide_mark, wide_mark_swapped}) {
    if (line.starts_with(mark))
      throw BadValue("begins with a byte order mark (BOM): save it as plain text");
  }
  for (const std::string_view quote : quotes) {
    if (line.starts_with(quote) || line.ends_with(quote))
      throw BadValue("has a quote character at its beginning or end: write it without quotes");
  }
  for (const std::string_view blank : blanks) {
    if (line.find(blank) != line.npos)
      throw BadValue("contains a blank character, possibly an invisible one");
  }
}

}  // namespace

Secret checked_secret(std::string text, bool several) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.size() > secret_bytes_max) {
    throw BadValue("is longer than " + std::to_string(secret_bytes_max) + " characters");
  }
  std::string_view rest = text;
  while (several && rest.find('\n') != rest.npos) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    refuse_unseen(line);
    require_plain_text(line);
  }
  refuse_unseen(rest);
  require_plain_text(rest);  // the secret may be sent in a header
  if (text.size() < secret_bytes_min) {
    throw BadValue("is shorter than " + std::to_string(secret_bytes_min) + " characters");
  }
  return Secret(std::move(text));
}

Secret read_secret_file(const std::filesystem::path& path, bool several) {
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) throw BadValue("names a directory");
  // Reading a pipe could block for ever.
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown))
    throw BadValue("names something that is not a regular file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw BadValue(std::string("names a file that cannot be read: ") + strerror(errno));
  std::string text(secret_bytes_max + 2, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) throw BadValue("names a file that cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  try {
    return checked_secret(std::move(text), several);
  } catch (const BadValue& bad) {
    throw BadValue(std::string("names a file whose content ") + bad.what());
  }
}

std::string secret_file_warning(const std::filesystem::path& path) {
  struct stat target {};
  if (::stat(path.c_str(), &target) != 0 || !S_ISREG(target.st_mode)) return {};
  char mode[8];
  std::snprintf(mode, sizeof mode, "%03o", static_cast<unsigned>(target.st_mode & 07777));
  const std::string advice = std::string(" (mode ") + mode + "); make it 600, or 640 for a group";
  if (target.st_uid != ::geteuid() && target.st_uid != 0)
    return "the file belongs to another user, who can change it";
  if ((target.st_mode & S_IWOTH) != 0)
    return "every user of this machine can write to the file" + advice;
  if ((target.st_mode & S_IROTH) != 0)
    return "every user of this machine can read the file" + advice;
  if ((target.st_mode & S_IWGRP) != 0) return "its group can write to the file" + advice;
  return {};
}

}  // namespace verbatim::config
