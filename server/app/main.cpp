#include "server/app/commands.hpp"

int main(int argc, char** argv) { return verbatim::app::run_command_line(argc, argv); }
