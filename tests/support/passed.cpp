// A service manager's end of socket activation, for tests. It binds a listening socket, and runs
// the program of its arguments with it, again after each orderly end.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace {

constexpr int passed = 3;

[[noreturn]] void run(char** arguments) {
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_FDNAMES", "verbatim.socket", 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::execv(arguments[0], arguments);
  std::_Exit(127);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* const named = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(listening, named, sizeof address) != 0 || ::listen(listening, 100) != 0) return 1;
  if (listening != passed && ::dup2(listening, passed) != passed) return 1;
  int status = 0;
  do {
    const pid_t child = ::fork();
    if (child == 0) run(arguments + 1);
    ::waitpid(child, &status, 0);
  } while (status == 0);
}
