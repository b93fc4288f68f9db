// Commands that maintain the stored data: backup, check --data, recover, webhook deliveries.
// docs/durability.md explains when to use them. Each returns an exit code.
#pragma once

#include "server/app/command_line.hpp"
#include "storage/maintenance/offline_store.hpp"

namespace verbatim::app {

/// Throws, and changes nothing, if a part of the store is missing.
maintenance::OfflineStore store_of(const config::Settings& settings);

/// `data_dir`: the data directory; empty: the configured one.
int backup(const Common& common, const std::string& data_dir, const std::string& file);
int check_data(const Common& common, const std::string& data_dir);
int recover(const Common& common, bool dry_run);
/// List webhook messages that were not delivered; send dead letters again, also while a server
/// runs.
int list_deliveries(const Common& common, bool dead_only);
int redrive_deliveries(const Common& common, const std::string& message);

}  // namespace verbatim::app
