// Stored data without the server: which store a command opens, and what it prints about it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json/tree_fwd.hpp"
#include "server/app/command_line.hpp"
#include "storage/maintenance/backup.hpp"
#include "storage/maintenance/offline_store.hpp"

namespace verbatim::app {

/// Throws, and changes nothing, if a part of the store is missing.
maintenance::OfflineStore store_of(const config::Settings& settings);

/// The settings, with another data folder unless `data_dir` is empty.
config::Settings settings_for(const Common& common, const std::string& data_dir);

/// The database that all commands open. Throws if it, or its part in the fallback directory, is
/// missing although its log exists: such a store is incomplete.
std::filesystem::path whole_store(const config::Settings& settings);

/// `verbatim check --data`. Empty `data_dir`: the configured one. Returns the exit code.
int check_data(const Common& common, const std::string& data_dir);

Json to_json(const std::vector<store::LogFinding>& logs);
std::string in_words(const store::LogFinding& log);
Json to_json(const maintenance::StoreCounts& counts);
std::string in_words(const maintenance::StoreCounts& counts);

/// "1 dead letter", "2 dead letters"
std::string quantity(std::size_t count, const std::string& thing);

}  // namespace verbatim::app
