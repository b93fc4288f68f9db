// Bytes in registers: a vector type of GCC and Clang, whatever the processor, and functions in two
// versions, of which the loader takes the one with the wider registers where the processor has
// them.
#pragma once

#include <cstddef>

namespace verbatim {

/// As wide as AVX2's registers, or two of those that every x86-64 has.
using Wide = signed char __attribute__((vector_size(32)));

/// Long runs are looked at so many bytes at a time.
inline constexpr std::size_t wide_block = 2 * sizeof(Wide);

// The loader asks which before a sanitizer is ready for it.
#if defined(__x86_64__) && defined(__linux__) && !defined(VERBATIM_SANITIZED)
#define VERBATIM_WIDE_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define VERBATIM_WIDE_CLONES
#endif

}  // namespace verbatim
