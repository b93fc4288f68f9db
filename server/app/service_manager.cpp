#include "server/app/service_manager.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

namespace verbatim::app {

namespace {

/// A service manager that takes no datagram must not hold up the process for longer.
constexpr timeval send_limit{.tv_sec = 1, .tv_usec = 0};

/// sd_listen_fds(3): descriptors are passed from here on.
constexpr int first_passed_descriptor = 3;

std::string take_variable(const char* name) {
  const char* const value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

long long number_in(const std::string& text) {
  long long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

struct SocketAddress {
  sockaddr_un value{};
  socklen_t size = 0;
};

/// Empty if it is not an address of this kind, or too long.
std::optional<SocketAddress> socket_address(const std::string& name) {
  SocketAddress made;
  made.value.sun_family = AF_UNIX;
  const bool known = name.size() > 1 && (name.front() == '/' || name.front() == '@');
  if (!known || name.size() >= sizeof made.value.sun_path) return std::nullopt;
  std::memcpy(made.value.sun_path, name.data(), name.size());
  // An abstract name has a zero in place of the @, and none at its end.
  if (name.front() == '@') made.value.sun_path[0] = '\0';
  made.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() +
                                     (name.front() == '@' ? 0 : 1));
  return made;
}

/// Returns 0, or the errno of the failure.
int send_datagram(const SocketAddress& to, std::string_view message) {
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return errno;
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &send_limit, sizeof send_limit);
  const ssize_t sent =
      ::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&to.value), to.size);  // NOLINT: the socket API
  const int failure = sent < 0 ? errno : 0;
  ::close(descriptor);
  return failure;
}

}  // namespace

ServiceManager::Address ServiceManager::take_address() {
  Address address;
  address.socket = take_variable("NOTIFY_SOCKET");
  const std::string interval = take_variable("WATCHDOG_USEC");
  const std::string whose = take_variable("WATCHDOG_PID");
  // Ignore a watchdog for another process of the unit.
  if (whose.empty() || number_in(whose) == ::getpid())
    address.watchdog = std::chrono::microseconds(std::max(0LL, number_in(interval)));
  return address;
}

ServiceManager::Sockets ServiceManager::take_sockets() {
  const long long count = number_in(take_variable("LISTEN_FDS"));
  const bool ours = number_in(take_variable("LISTEN_PID")) == ::getpid();
  std::string names = take_variable("LISTEN_FDNAMES");
  Sockets taken;
  for (int n = 0; ours && n < count; ++n) {
    const std::string name = names.substr(0, names.find(':'));
    names.erase(0, name.size() + 1);
    int& place = name == "metrics" ? taken.metrics : taken.clients;
    if (place >= 0)
      throw std::runtime_error(
          "the service manager passed more sockets (LISTEN_FDS) than one for clients and one with "
          "FileDescriptorName=metrics");
    place = first_passed_descriptor + n;
    ::fcntl(place, F_SETFD, FD_CLOEXEC);
  }
  return taken;
}

void ServiceManager::reloading() {
  using std::chrono::duration_cast;
  const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
  const auto at = duration_cast<std::chrono::microseconds>(since_boot).count();
  report("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(at) + "\n",
         "Reading the configuration again.");
}

void ServiceManager::status(std::string_view status) {
  if (status != last_status_) report("", status);
}

void ServiceManager::report(std::string_view state, std::string_view status) {
  last_status_ = status;
  std::string line(status);
  for (char& c : line)
    if (c == '\n' || c == '\r') c = ' ';  // a line break would begin another variable
  send(std::string(state) + "STATUS=" + line + "\n");
}

void ServiceManager::send(std::string_view message) {
  if (!present()) return;
  const auto to = socket_address(address_.socket);
  const int failure = to ? send_datagram(*to, message) : EAFNOSUPPORT;
  if (failure != 0 && !unreachable_)
    log_.warn("service_manager.unreachable", {{"why", std::strerror(failure)},
                                              {"now",
                                               "it may take this process for one that hangs; see "
                                               "NOTIFY_SOCKET"}});
  unreachable_ = failure != 0;
}

}  // namespace verbatim::app
