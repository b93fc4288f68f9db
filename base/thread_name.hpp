// What a thread does, for those who look at the process with `top -H` or a debugger, and how much
// it matters.
#pragma once

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace verbatim {

/// Names the calling thread. At most 15 characters.
inline void name_this_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

/// The calling thread runs when those of the usual priority leave it time, and else now and then.
inline void give_way() {
  constexpr int nicer = 10;
  // On Linux the priority is the thread's own. Without it the thread is only less considerate.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nicer);
}

}  // namespace verbatim
