// A service manager's end of sd_notify, for tests. It receives datagrams at the socket that the
// argument names, and prints each as one line, with tabs in place of line breaks.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

int main(int count, char** arguments) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (count != 2 || std::strlen(arguments[1]) >= sizeof address.sun_path) return 2;
  std::strcpy(address.sun_path, arguments[1]);
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return 1;
  std::puts("listens");
  std::fflush(stdout);
  char bytes[65536];
  ssize_t size = 0;
  while ((size = ::recv(descriptor, bytes, sizeof bytes, 0)) >= 0) {
    std::replace(bytes, bytes + size, '\n', '\t');
    std::printf("%.*s\n", static_cast<int>(size), bytes);
    std::fflush(stdout);
  }
}
