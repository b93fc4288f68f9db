// Measures the work of base/ on text: the check of UTF-8, the strict check of JSON, and Base64. For
// comparison, each figure is printed with that of a plain loop over characters from the same run.
#include <ctime>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>

#include "base/base64.hpp"
#include "base/json/view.hpp"
#include "base/utf8.hpp"

using namespace verbatim;

namespace {

constexpr std::size_t text_bytes = 1024 * 1024;

/// CPU time of this thread, because other threads may be busy.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double gigabytes_a_second(std::size_t bytes, const std::function<bool()>& work) {
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < 20; ++round) {
    const double begin = thread_seconds();
    if (!work()) std::printf("wrong\n");
    best = std::min(best, thread_seconds() - begin);
  }
  return static_cast<double>(bytes) / best / 1e9;
}

void compare(const char* what, std::size_t bytes, const std::function<bool()>& plain,
             const std::function<bool()>& ours) {
  const double before = gigabytes_a_second(bytes, plain);
  const double after = gigabytes_a_second(bytes, ours);
  std::printf("%-34s %7.2f GB/s %7.2f GB/s %7.1f times\n", what, before, after, after / before);
}

std::string repeated(const std::string& piece, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += piece;
  return out;
}

bool valid_by_characters(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = utf8::sequence_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

/// Checks the inside of a JSON string, one character after the other.
bool string_by_characters(std::string_view bytes) {
  while (!bytes.empty()) {
    bytes.remove_prefix(utf8::plain_prefix(bytes));
    const std::size_t length = utf8::sequence_length(bytes);
    if (length == 0) return bytes.empty();
    bytes.remove_prefix(length);
  }
  return true;
}

std::string url_base64_by_bits(std::string_view data) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const unsigned char c : data) {
    bits = (bits << 8) | c;
    for (held += 8; held >= 6;) {
      held -= 6;
      out.push_back(digits[(bits >> held) & 63]);
    }
  }
  if (held > 0) out.push_back(digits[(bits << (6 - held)) & 63]);
  return out;
}

}  // namespace

int main() {
  std::printf("%-34s %12s %12s\n", "1 MiB", "by characters", "as shipped");
  for (const auto& [name, piece] :
       {std::pair("Chinese", "\u4F60\u597D\u4E16\u754C"),
        std::pair("German", "\u00dcber den Wolken "), std::pair("English", "over the clouds "),
        std::pair("emoji", "\U0001F600")}) {
    const std::string text = repeated(piece, text_bytes);
    const std::string json = "{\"type\":\"x\",\"text\":\"" + text + "\"}";
    compare((std::string("UTF-8, ") + name).c_str(), text.size(),
            [&] { return valid_by_characters(text); }, [&] { return utf8::is_valid(text); });
    compare((std::string("JSON string, ") + name).c_str(), json.size(),
            [&] { return string_by_characters(text); }, [&] { return !json::check(json); });
  }
  const std::string bytes = repeated("\x01\x80\xFE", text_bytes);
  compare(
      "Base64 for URLs, encoded", bytes.size(), [&] { return !url_base64_by_bits(bytes).empty(); },
      [&] { return !base64url(bytes).empty(); });
  std::string decoded;
  for (const std::size_t size : {std::size_t{32}, std::size_t{240}}) {
    const std::string small = repeated("plain words, ", size).substr(0, size);
    const int times = 10'000;
    const auto many = [&](auto check) {
      return [&small, check] {
        bool good = true;
        for (int i = 0; i < times; ++i) good = check(small) && good;
        return good;
      };
    };
    compare(("UTF-8, English, " + std::to_string(size) + " bytes").c_str(), size * times,
            many(valid_by_characters), many(utf8::is_valid));
  }
  return 0;
}
