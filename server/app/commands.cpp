#include "server/app/commands.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <iostream>
#include <string_view>

#include "server/app/commands/families.hpp"
#include "server/app/commands/parser.hpp"
#include "server/net/tls_record_buffers.hpp"
#include "storage/store/error.hpp"

namespace verbatim::app {

namespace {

/// In the order of the help.
std::vector<Family> all_commands() {
  return {server_commands(),  configuration_commands(), doctor_commands(),
          data_commands(),    credential_commands(),    token_commands(),
          session_commands(), retention_commands(),     repair_commands(),
          webhook_commands(), fleet_commands(),         developer_commands()};
}

/// The reader of a pipe, such as `head`, may leave when it has enough.
bool is_pipe(int descriptor) {
  struct stat file {};
  return ::fstat(descriptor, &file) == 0 && (S_ISFIFO(file.st_mode) || S_ISSOCK(file.st_mode));
}

int guarded(const std::function<int()>& command) {
  try {
    const int code = command();
    // A full disk, for example: a script must not take half of a transcript or key for all of it.
    if (!std::cout.flush() && code == 0 && !is_pipe(STDOUT_FILENO))
      return fail("the output could not be written completely", exit_code::failed);
    return code;
  } catch (const config::ConfigError& error) {
    return fail(error.what(), exit_code::bad_usage);
  } catch (const store::StorageError& error) {
    return fail(error.what(), error.failure() == store::Failure::not_found ? exit_code::not_found
                                                                           : exit_code::failed);
  } catch (const std::exception& error) {
    return fail(error.what(), exit_code::failed);
  }
}

}  // namespace

int run_command_line(int argc, char** argv) {
  net::recycle_record_buffers();
  std::signal(SIGPIPE, SIG_IGN);
  // A file size limit (ulimit -f, LimitFSIZE=) then fails the write, like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  // Before parsing: wrong usage is an error too.
  if (std::find(argv, argv + argc, std::string_view("--json")) != argv + argc)
    print_errors_as_json();
  Parser parser(all_commands(), "serve");
  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parser.answer(error);
  }
  return guarded([&] { return parser.run(); });
}

}  // namespace verbatim::app
