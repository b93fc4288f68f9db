// Name and priority of the calling thread. The name appears in `top -H` and in debuggers.
#pragma once

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace verbatim {

/// Names the calling thread. At most 15 characters.
inline void name_this_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

/// Lowers the priority of the calling thread, so that it mainly runs when threads of normal
/// priority are idle. `nicer`: at most 19, the lowest priority.
inline void give_way(int nicer = 10) {
  // On Linux, priority belongs to the thread. If the call fails, the thread keeps its normal
  // priority.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nicer);
}

}  // namespace verbatim
