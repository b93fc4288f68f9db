// How often a test with generated input tries. Under a sanitizer a try takes five times as long and
// most findings come early, so the number is a quarter. Builds without one run all.
#pragma once

#include <cstdlib>

namespace verbatim::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

constexpr unsigned rounds(unsigned whole) { return sanitized ? (whole + 3) / 4 : whole; }

/// The number in an environment variable, for the long proofs of docs/durability.md.
inline unsigned from_environment(const char* name, unsigned otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(value, nullptr, 10));
}

}  // namespace verbatim::test
