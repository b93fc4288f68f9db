// Commands about single webhook deliveries: verbatim webhooks deliveries, retry.
#pragma once

#include "server/app/commands/command.hpp"

namespace verbatim::app {

Command deliveries_command();
Command retry_command();

}  // namespace verbatim::app
