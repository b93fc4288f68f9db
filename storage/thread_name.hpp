// What a thread does, for who looks at the process with `top -H` or a debugger.
#pragma once

#include <pthread.h>

namespace verbatim::storage {

/// Names the calling thread. At most 15 characters.
inline void name_this_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace verbatim::storage
