// Any bytes as --set: a configuration comes out that prints and reads as itself, or a ConfigError.
#include "config/settings.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verbatim::config;
  std::string assignment(reinterpret_cast<const char*>(data), size);
  // Keys that open files are left out: the fuzzer would soon name one that blocks.
  if (assignment.find("_file") != std::string::npos) return 0;
  try {
    const std::string printed = to_json(load({{}, {assignment}, {}}));
    if (to_json(load({{}, {assignment}, {}})) != printed) std::abort();
  } catch (const ConfigError&) {
  }
  return 0;
}
