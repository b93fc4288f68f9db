// The command line: parses it with the table of commands (commands/) and runs the command. Results
// go to stdout, logs to stderr. Exit codes: 0 ok, 1 run-time failure, 2 bad usage or configuration,
// 3 not found.
#pragma once

namespace verbatim::app {

int run_command_line(int argc, char** argv);

}  // namespace verbatim::app
