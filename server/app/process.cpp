#include "server/app/process.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>

#include "base/files.hpp"
#include "base/json/tree.hpp"

namespace verbatim::app {

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int forbid_dumps() { return ::prctl(PR_SET_DUMPABLE, 0) == 0 ? 0 : errno; }

void write_ready_file(const std::filesystem::path& file, const std::string& url) {
  if (file.empty()) return;
  write_file_atomically(file, Json{{"pid", ::getpid()}, {"url", url}}.dump());
}

void set_signal_mask(int how, std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(how, &set, nullptr);
}

}  // namespace verbatim::app
