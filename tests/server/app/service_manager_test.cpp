// The reports to the service manager, received by a real datagram socket.
#include "server/app/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using app::ServiceManager;
using namespace std::chrono_literals;

namespace {

/// The service manager's end. A name that begins with @ is abstract.
class Receiver {
 public:
  explicit Receiver(const std::string& name)
      : descriptor_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  }
  ~Receiver() { ::close(descriptor_); }

  /// The next datagram; nothing if none was sent.
  std::optional<std::string> next() const {
    char bytes[4096];
    const ssize_t size = ::recv(descriptor_, bytes, sizeof bytes, 0);
    if (size < 0) return std::nullopt;
    return std::string(bytes, static_cast<std::size_t>(size));
  }

 private:
  int descriptor_;
};

Log& log() {
  static Log quiet({.level = LogLevel::error});
  return quiet;
}

}  // namespace

TEST_CASE("the service manager hears of the start, a reload, the end and each sign of life",
          "[operation][service]") {
  const TempDir dir;
  const bool abstract = GENERATE(false, true);
  const std::string name =
      abstract ? "@verbatim-test-" + std::to_string(::getpid()) : (dir / "notify").string();
  const Receiver receiver(name);
  ServiceManager manager({name, 20s}, log());
  CHECK(manager.alive_interval() == 10s);

  manager.starting("Starting.");
  CHECK(receiver.next() == "STATUS=Starting.\n");
  manager.ready("Serving.");
  CHECK(receiver.next() == "READY=1\nSTATUS=Serving.\n");
  manager.alive();
  CHECK(receiver.next() == "WATCHDOG=1\n");
  manager.reloading();
  const std::string reload = receiver.next().value_or("");
  CHECK_THAT(reload, Catch::Matchers::Matches("RELOADING=1\nMONOTONIC_USEC=[0-9]+\nSTATUS=.+\n"));
  manager.stopping("Stopping.");
  CHECK(receiver.next() == "STOPPING=1\nSTATUS=Stopping.\n");
}

TEST_CASE("a status is sent when it has changed, and has one line", "[operation][service]") {
  const TempDir dir;
  const std::string name = (dir / "notify").string();
  const Receiver receiver(name);
  ServiceManager manager({name, {}}, log());
  manager.status("one");
  manager.status("one");
  manager.status("two\nREADY=1");
  CHECK(receiver.next() == "STATUS=one\n");
  CHECK(receiver.next() == "STATUS=two READY=1\n");
  CHECK_FALSE(receiver.next());
}

TEST_CASE("without a service manager nothing is sent and nothing fails", "[operation][service]") {
  ServiceManager none({}, log());
  CHECK_FALSE(none.present());
  none.ready("Serving.");
  ServiceManager gone({"/nowhere/notify", 1s}, log());
  gone.ready("Serving.");
  ServiceManager unknown({"vsock:2:1", 1s}, log());
  unknown.alive();
}

TEST_CASE("the address of the service manager is taken out of the environment",
          "[operation][service]") {
  const std::string other = std::to_string(::getpid() + 1);
  const auto [whose, watchdog] = GENERATE_COPY(
      table<std::string, std::chrono::microseconds>({{"", 3s}, {"own", 3s}, {other, 0s}}));
  ::setenv("NOTIFY_SOCKET", "/run/notify", 1);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  ::setenv("WATCHDOG_PID", (whose == "own" ? std::to_string(::getpid()) : whose).c_str(), 1);
  const ServiceManager::Address taken = ServiceManager::take_address();
  CHECK(taken.socket == "/run/notify");
  CHECK(taken.watchdog == watchdog);
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
    CHECK(std::getenv(name) == nullptr);
}

TEST_CASE("a watchdog interval that is not a number counts as none", "[operation][service]") {
  ::setenv("WATCHDOG_USEC", "soon", 1);
  CHECK(ServiceManager::take_address().watchdog.count() == 0);
  ::setenv("WATCHDOG_USEC", "-5", 1);
  CHECK(ServiceManager::take_address().watchdog.count() == 0);
}

TEST_CASE("the name of a socket that the service manager passes decides its purpose",
          "[operation][socket]") {
  const auto pass = [](const std::string& count, const std::string& names, int pid) {
    ::setenv("LISTEN_FDS", count.c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
    ::setenv("LISTEN_PID", std::to_string(pid).c_str(), 1);
    return ServiceManager::take_sockets();
  };
  const int us = ::getpid();
  CHECK(pass("1", "verbatim.socket", us).clients == 3);
  CHECK(pass("1", "", us).clients == 3);
  const auto both = pass("2", "metrics:verbatim.socket", us);
  CHECK(both.metrics == 3);
  CHECK(both.clients == 4);
  CHECK(pass("1", "verbatim.socket", us + 1).clients == -1);
  CHECK(pass("none", "", us).clients == -1);
  CHECK_THROWS_WITH(pass("2", "one:two", us), Catch::Matchers::Contains("LISTEN_FDS"));
  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"})
    CHECK(std::getenv(name) == nullptr);
}
