#include "server/app/process.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>

namespace verbatim::server {

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int forbid_dumps() { return ::prctl(PR_SET_DUMPABLE, 0) == 0 ? 0 : errno; }

}  // namespace verbatim::server
