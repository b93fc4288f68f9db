// Vector instructions: a vector type of GCC and Clang for any processor, and functions compiled in
// two versions. At load time the version with the wider registers is chosen if the processor has
// them. Any thread.
#pragma once

#include <cstddef>

namespace verbatim {

/// As wide as one AVX2 register, or two of the registers that every x86-64 has.
using Wide = signed char __attribute__((vector_size(32)));

/// Bytes examined per step of a long run.
inline constexpr std::size_t wide_block = 2 * sizeof(Wide);

// The loader runs the selection before a sanitizer is initialised, so sanitizer builds do without.
#if defined(__x86_64__) && defined(__linux__) && !defined(VERBATIM_SANITIZED)
#define VERBATIM_WIDE_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define VERBATIM_WIDE_CLONES
#endif

}  // namespace verbatim
