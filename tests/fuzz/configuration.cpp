// Any bytes as a configuration: --set, the environment or a TOML file, chosen by the first byte.
// The result is a ConfigError, or settings that print as TOML and read back the same.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "config/settings.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::config;

namespace {

/// A file in memory with the given content, and its name.
class File {
 public:
  std::filesystem::path holding(const std::string& text) {
    demand(ftruncate(descriptor_, 0) == 0);
    demand(pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  const int descriptor_ = memfd_create("configuration", 0);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static File file;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  // Keys that open files are left out: the fuzzer would soon name one that blocks.
  if (text.find("_file") != std::string::npos) return 0;
  if (text.find('\\') != std::string::npos) return 0;
  Sources sources;
  switch (data[0] % 3) {
    case 0:
      sources.assignments = {text};
      break;
    case 1:
      sources.environment = {"VERBATIM_" + text};
      break;
    default:
      sources.file = file.holding(text);
  }
  try {
    const Settings settings = load(sources);
    const std::string printed = to_json(settings);
    demand(to_json(load(sources)) == printed);
    if (settings.upstream.api_key.empty() && settings.auth.token_secret.empty() &&
        settings.auth.internal_service_key.empty() && settings.webhook.targets.empty()) {
      Sources again;
      again.file = file.holding(to_toml(settings));
      demand(to_json(load(again)) == printed);
    }
  } catch (const ConfigError&) {
  }
  return 0;
}
