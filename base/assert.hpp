// Checks of preconditions. A failed check is a bug of the caller: it prints one line on stderr, for
// example `outbox.hpp:85: precondition failed: !empty()`, and aborts. The journal is built for a
// process that ends at any point, but not for one that goes on with a wrong state.
//
// Any thread. The line holds the condition as it stands in the source, never a value.
#pragma once

namespace verbatim {

/// Ends the process. Called by the macros only.
[[noreturn, gnu::cold]] void precondition_failed(const char* condition, const char* file,
                                                 int line) noexcept;

}  // namespace verbatim

/// On in every build, therefore only for conditions that cost a few instructions.
#define VERBATIM_EXPECTS(condition)   \
  ((condition) ? static_cast<void>(0) \
               : ::verbatim::precondition_failed(#condition, __FILE_NAME__, __LINE__))

/// For conditions that read a whole text or container: on only in builds without optimisation. In
/// .cpp files only, because an inline function must be the same in files with and without
/// optimisation.
#ifdef __OPTIMIZE__
#define VERBATIM_EXPECTS_SLOW(condition) static_cast<void>(sizeof((condition) ? 1 : 0))
#else
#define VERBATIM_EXPECTS_SLOW(condition) VERBATIM_EXPECTS(condition)
#endif
