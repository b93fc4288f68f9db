// The commands that look after what is kept: backup, check --data, recover. docs/durability.md says
// when to use which.
#pragma once

#include "server/app/command_line.hpp"

namespace verbatim::server {

/// `data_dir` empty: as the settings say.
int backup(const Common& common, const std::string& data_dir, const std::string& file);
int check_data(const Common& common, const std::string& data_dir);
int recover(const Common& common, bool dry_run);
/// What webhooks have not got yet; and dead letters sent again, beside a running server.
int list_deliveries(const Common& common, bool dead_only);
int redrive_deliveries(const Common& common, const std::string& message);

}  // namespace verbatim::server
