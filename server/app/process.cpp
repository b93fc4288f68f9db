#include "server/app/process.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/files.hpp"

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
  write_file_atomically(file, nlohmann::json{{"pid", ::getpid()}, {"url", url}}.dump());
}

}  // namespace verbatim::app
