// The table of commands: a function for each family, in the order of the help. A new family is a
// file, a line here and a line in commands.cpp.
#pragma once

#include "server/app/commands/command.hpp"

namespace verbatim::app {

/// serve, health
Family server_commands();
/// check
Family configuration_commands();
/// doctor
Family doctor_commands();
/// backup, recover
Family data_commands();
/// token, keygen
Family credential_commands();
Family session_commands();
/// sessions end; through the running relay
Command session_end_command();
/// tokens list, tokens revoke
Family token_commands();
/// retention show, retention run
Family retention_commands();
/// repair
Family repair_commands();
Family webhook_commands();
/// fleet status, fence, forget; through the fleet's database
Family fleet_commands();
/// replay, simulate
Family developer_commands();

}  // namespace verbatim::app
