#include "base/assert.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <string>

namespace verbatim {
namespace {

struct Ending {
  bool aborted = false;
  bool exited = false;  ///< with status 0
  std::string printed;  ///< on stderr
};

/// How a child process that runs `work` ends.
Ending ending_of(const std::function<void()>& work) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit no_dump{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_dump);
    std::signal(SIGABRT, SIG_DFL);  // Catch's handler would report a failed test
    ::dup2(ends[1], STDERR_FILENO);
    work();
    ::_exit(0);
  }
  ::close(ends[1]);
  Ending out;
  char bytes[256];
  for (ssize_t count = 0; (count = ::read(ends[0], bytes, sizeof bytes)) > 0;)
    out.printed.append(bytes, static_cast<std::size_t>(count));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  out.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  out.exited = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return out;
}

TEST_CASE("a broken precondition prints its place and its condition, and aborts", "[contract]") {
  const int line = __LINE__ + 3;
  const Ending ending = ending_of([] {
    const int left = 0;
    VERBATIM_EXPECTS(left > 0);
  });
  CHECK(ending.aborted);
  CHECK(ending.printed ==
        "assert_test.cpp:" + std::to_string(line) + ": precondition failed: left > 0\n");
}

TEST_CASE("a precondition that holds does nothing, and is evaluated once", "[contract]") {
  int evaluated = 0;
  const Ending ending = ending_of([&evaluated] {
    VERBATIM_EXPECTS(++evaluated == 1);
    VERBATIM_EXPECTS(evaluated == 1);
  });
  CHECK(ending.exited);
  CHECK(ending.printed.empty());
}

TEST_CASE("a costly precondition is looked at in a build without optimisation", "[contract]") {
  const Ending ending = ending_of([] { VERBATIM_EXPECTS_SLOW(std::string("a") == "b"); });
#ifdef __OPTIMIZE__
  CHECK(ending.exited);
#else
  CHECK(ending.aborted);
#endif
}

TEST_CASE("a condition that is too long is printed in part", "[contract]") {
  const Ending ending = ending_of([] {
    const std::string condition(2000, 'x');
    precondition_failed(condition.c_str(), "a.cpp", 7);
  });
  CHECK(ending.aborted);
  CHECK(ending.printed == "a.cpp:7: precondition failed: " + std::string(380, 'x') + "\n");
}

}  // namespace
}  // namespace verbatim
