// Measures how long one client message occupies a thread if a field is locked, by shape and size of
// the message. First as shipped, where the check ends at policy.values_max, then without that
// limit. Exits with 1 if the time grows faster than the size.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
#include <string>

#include "session/policy/policy.hpp"
#include "session/protocol/openai/event_reader.hpp"

using namespace verbatim;
using namespace verbatim::policy;
using namespace verbatim::protocol;

namespace {

constexpr std::size_t size_min = 24 * 1024;
constexpr std::size_t size_max = 24 * 1024 * 1024;
constexpr std::size_t growth = 32;
/// Tolerance for two levels of caches and the logarithm of sorting.
constexpr double allowance = 3;
/// Shorter times depend more on the clock and the caches than on the message.
constexpr double milliseconds_min = 2;

struct Shape {
  const char* name;
  std::string begin;
  std::function<std::string(std::size_t)> element;
  std::string end;
  std::string head = R"({"type":"session.update","session":)";
};

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string message(const Shape& shape, std::size_t bytes) {
  std::string out = shape.head + shape.begin;
  for (std::size_t i = 0; out.size() < bytes; ++i) {
    if (i > 0) out += ',';
    out += shape.element(i);
  }
  return out + shape.end + "}";
}

/// CPU time of this thread, because other threads may be busy.
double thread_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double milliseconds_of(const Policy& policy, const std::string& text) {
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < 3; ++round) {
    const double begin = thread_milliseconds();
    if (!check_client_message(text)) policy.refuse(peek_type(text), text);
    best = std::min(best, thread_milliseconds() - begin);
  }
  return best;
}

/// True if the time grew at most in proportion to the size.
bool measure(const char* title, MessageLimits limits) {
  const auto same = [](const std::string& text) { return [text](std::size_t) { return text; }; };
  const Shape shapes[] = {
      {"empty objects", R"({"a":[)", same("{}"), "]}"},
      {"numbers", R"({"a":[)", same("1"), "]}"},
      {"names in one object", R"({"a":{)",
       [](std::size_t i) { return '"' + std::to_string(i) + R"(":0)"; }, "}}"},
      {"members of the session", "{",
       [](std::size_t i) { return "\"m" + std::to_string(i) + R"(":0)"; }, "}"},
      {"long names", R"({"a":{)",
       [](std::size_t i) { return '"' + std::string(400, 'a') + std::to_string(i) + R"(":0)"; },
       "}}"},
      {"deep objects", R"({"a":[)", same(repeated(R"({"a":)", 40) + "0" + std::string(40, '}')),
       "]}"},
      {"escapes", R"({"a":[)", same(R"("\ud83d\ude00\n\\")"), "]}"},
      {"one text", R"({"a":")", [](std::size_t) { return std::string(4096, 'x'); }, "\"}"},
      {"a locked field", R"({"instructions":[)", same(R"({"a":[]})"), "]}"},
      {"names like locked ones", R"({"a":[)",
       same(R"({"instructinstructionvoicvoispeakersystedevelope":0})"), "]}"},
      {"parts of an item", R"({"role":"user","content":[)",
       same(R"({"type":"input_text","text":"a"})"), "]}",
       R"({"type":"conversation.item.create","item":)"},
      {"items of a response", R"({"input":[)", same(R"({"role":"user","content":[]})"), "]}",
       R"({"type":"response.create","response":)"},
      {"beside audio", "{", [](std::size_t i) { return "\"m" + std::to_string(i) + R"(":0)"; }, "}",
       R"({"type":"input_audio_buffer.append","audio":"AAAA","x":)"},
  };
  PolicyRules rules;
  rules.locked = {"instructions", "audio.output.voice"};
  rules.message_limits = limits;
  const Policy policy(rules, R"({"instructions":"Be kind."})", "");
  bool linear = true;
  std::printf("%s, in ms\n%-24s", title, "");
  for (std::size_t bytes = size_min; bytes <= size_max; bytes *= growth)
    std::printf("%9zu KiB", bytes / 1024);
  std::printf("\n");
  for (const Shape& shape : shapes) {
    std::printf("%-24s", shape.name);
    double before = 0;
    for (std::size_t bytes = size_min; bytes <= size_max; bytes *= growth) {
      const double taken = milliseconds_of(policy, message(shape, bytes));
      std::printf("%13.3f", taken);
      const bool grew =
          before > 0 && taken > std::max(before, milliseconds_min) * growth * allowance;
      if (grew) std::printf(" (!)");
      linear = linear && !grew;
      before = taken;
    }
    std::printf("\n");
  }
  return linear;
}

}  // namespace

int main() {
  const bool shipped = measure("with policy.values_max and policy.depth_max", {});
  const bool lifted = measure("without", {SIZE_MAX, 128});
  return shipped && lifted ? 0 : 1;
}
