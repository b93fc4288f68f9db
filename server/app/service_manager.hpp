// Reports the state of the process to its service manager: systemd's sd_notify protocol, a datagram
// of VARIABLE=value lines. Without a service manager every call does nothing.
//
// On the main thread. A report that cannot be sent is logged once; the process goes on.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/log.hpp"

namespace verbatim::app {

class ServiceManager {
 public:
  struct Address {
    std::string socket;  ///< a path, or @NAME in the abstract namespace; empty: no service manager
    std::chrono::microseconds watchdog{};  ///< a process silent for so long is ended; 0: never
  };

  /// Takes the address out of the environment (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID), so that
  /// no child process reports in our name. Call it before the first thread starts.
  static Address take_address();

  /// Listening sockets that the service manager has bound (systemd's socket units). -1: none.
  struct Sockets {
    int clients = -1;  ///< in place of server.listen
    int metrics = -1;  ///< FileDescriptorName=metrics, in place of metrics.listen
  };
  /// Takes them, like the address, out of the environment (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES).
  /// Throws std::runtime_error if there are more of them.
  static Sockets take_sockets();

  /// `log` must outlive it.
  ServiceManager(Address address, Log& log) : address_(std::move(address)), log_(log) {}

  bool present() const { return !address_.socket.empty(); }
  /// How often alive() is due: half of the time after which the process is ended. 0: never.
  std::chrono::microseconds alive_interval() const { return address_.watchdog / 2; }

  // `status` is one line for the operator (systemctl status).
  void starting(std::string_view status) { report("", status); }
  void ready(std::string_view status) { report("READY=1\n", status); }
  /// The configuration is read again; ready() ends that.
  void reloading();
  void stopping(std::string_view status) { report("STOPPING=1\n", status); }
  /// Sends the status if it is not the last one.
  void status(std::string_view status);
  void alive() { send("WATCHDOG=1\n"); }

 private:
  void report(std::string_view state, std::string_view status);
  void send(std::string_view message);

  const Address address_;
  Log& log_;
  std::string last_status_;
  bool unreachable_ = false;
};

}  // namespace verbatim::app
