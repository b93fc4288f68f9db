#include "server/app/commands/offline.hpp"

#include "base/json/tree.hpp"
#include "server/app/data_dir.hpp"
#include "storage/maintenance/recovery.hpp"

namespace verbatim::app {

maintenance::OfflineStore store_of(const config::Settings& settings) {
  return {database_in(settings.server.data_dir), settings.storage.fallback_dir};
}

config::Settings settings_for(const Common& common, const std::string& data_dir) {
  config::Settings settings = common.settings();
  if (!data_dir.empty()) settings.server.data_dir = data_dir;
  return settings;
}

std::filesystem::path whole_store(const config::Settings& settings) {
  std::filesystem::path file = database_in(settings.server.data_dir);
  maintenance::require_whole_store(file, settings.storage.fallback_dir);
  return file;
}

Json to_json(const std::vector<store::LogFinding>& logs) {
  Json list = Json::array();
  for (const auto& one : logs)
    list.push_back({{"file", one.log.string()},
                    {"state", store::to_string(one.state)},
                    {"lost", one.lost},
                    {"what", one.what}});
  return list;
}

std::string in_words(const store::LogFinding& log) {
  return std::string(log.lost ? "wrong: the write-ahead log " : "the write-ahead log ") +
         log.log.string() + ": " + log.what;
}

Json to_json(const maintenance::StoreCounts& counts) {
  return {{"sessions", counts.sessions},
          {"attempts", counts.attempts},
          {"open_attempts", counts.open_attempts},
          {"turns", counts.turns},
          {"events", counts.events},
          {"unreadable", counts.unreadable}};
}

std::string in_words(const maintenance::StoreCounts& counts) {
  return std::to_string(counts.sessions) + " sessions, " + std::to_string(counts.attempts) +
         " attempts (" + std::to_string(counts.open_attempts) + " open), " +
         std::to_string(counts.turns) + " turns, " + std::to_string(counts.events) +
         " journal rows";
}

std::string quantity(std::size_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

}  // namespace verbatim::app
