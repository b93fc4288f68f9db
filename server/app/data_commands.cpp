#include "server/app/data_commands.hpp"

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "server/app/data_dir.hpp"
#include "storage/maintenance/backup.hpp"
#include "storage/maintenance/recovery.hpp"

namespace verbatim::app {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

config::Settings settings_for(const Common& common, const std::string& data_dir) {
  config::Settings settings = common.settings();
  if (!data_dir.empty()) settings.server.data_dir = data_dir;
  return settings;
}

/// The database that all commands open. Throws if it, or its part in the fallback directory, is
/// missing although its log exists: such a store is incomplete.
fs::path whole_store(const config::Settings& settings) {
  fs::path file = database_in(settings.server.data_dir);
  maintenance::require_whole_store(file, settings.storage.fallback_dir);
  return file;
}

json to_json(const std::vector<store::LogFinding>& logs) {
  json list = json::array();
  for (const auto& one : logs)
    list.push_back({{"file", one.log.string()},
                    {"state", store::to_string(one.state)},
                    {"lost", one.lost},
                    {"what", one.what}});
  return list;
}

std::string in_words(const store::LogFinding& log) {
  return std::string(log.lost ? "wrong: the log " : "the log ") + log.log.string() + ": " +
         log.what;
}

json to_json(const maintenance::StoreCounts& counts) {
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

}  // namespace

maintenance::OfflineStore store_of(const config::Settings& settings) {
  return {database_in(settings.server.data_dir), settings.storage.fallback_dir};
}

int backup(const Common& common, const std::string& data_dir, const std::string& file) {
  const config::Settings settings = settings_for(common, data_dir);
  const auto segment = store_of(settings).segment();
  const maintenance::Backup made = maintenance::back_up(whole_store(settings), file);
  if (segment) {
    std::cerr << "verbatim: the journal continues in " << segment->string()
              << ". This backup does not contain that file. Copy it too, or make another backup "
                 "after the server has left the fallback directory\n";
  }
  if (common.as_json) {
    print({{"file", file},
           {"bytes", made.bytes},
           {"counts", to_json(made.counts)},
           {"segment", segment ? json(segment->string()) : json()}});
  } else {
    std::cout << file << ": " << made.bytes << " bytes, " << in_words(made.counts) << "\n";
  }
  return exit_code::ok;
}

int check_data(const Common& common, const std::string& data_dir) {
  const config::Settings settings = settings_for(common, data_dir);
  const fs::path file = whole_store(settings);
  const bool served = is_served(settings.server.data_dir);
  const maintenance::StoreCheck check = maintenance::check_file(file, served);
  const auto segment = store_of(settings).segment();
  const bool readable = check.integrity == "ok";
  const bool to_recover =
      readable && !served && (!check.clean || check.counts.open_attempts > 0 || segment);
  if (common.as_json) {
    json findings = json::array();
    for (const auto& one : check.findings)
      findings.push_back({{"what", one.what}, {"count", one.count}, {"first", one.first}});
    print({{"file", file.string()},
           {"sound", check.sound()},
           {"integrity", check.integrity},
           {"served", served},
           {"clean", readable ? json(check.clean) : json()},
           {"recovery_needed", to_recover},
           {"counts", readable ? to_json(check.counts) : json()},
           {"findings", findings},
           {"logs", to_json(check.logs)},
           {"segment", segment ? json(segment->string()) : json()}});
    return check.sound() ? exit_code::ok : exit_code::failed;
  }
  std::cout << file.string() << (served ? ", in use by a server\n" : ", no server running\n");
  std::cout << "integrity: " << check.integrity << "\n";
  if (readable) std::cout << in_words(check.counts) << "\n";
  for (const auto& one : check.findings)
    std::cout << "wrong: " << one.count << " " << one.what << " (first: " << one.first << ")\n";
  for (const auto& log : check.logs) std::cout << in_words(log) << "\n";
  if (check.counts.unreadable > 0)
    std::cout << "set aside by an earlier recovery: "
              << quantity(check.counts.unreadable, "unreadable journal row") << "\n";
  if (segment) std::cout << "journal continues in: " << segment->string() << "\n";
  if (to_recover)
    std::cout << "not closed cleanly: the next start, or `verbatim recover`, recovers it\n";
  std::cout << (check.sound() ? "sound\n"
                              : "NOT sound: see docs/durability.md, Check and repair\n");
  return check.sound() ? exit_code::ok : exit_code::failed;
}

int recover(const Common& common, bool dry_run) {
  const config::Settings settings = common.settings();
  const fs::path file = whole_store(settings);
  if (!fs::exists(file)) return fail("there is no file " + file.string(), exit_code::not_found);
  if (dry_run && is_served(settings.server.data_dir))
    return fail("a server uses " + settings.server.data_dir.string() +
                    ": its open attempts are live, not left by a crash",
                exit_code::failed);
  std::optional<DataDir> lock;
  if (!dry_run) lock.emplace(settings.server.data_dir);
  const maintenance::RecoveryReport report =
      maintenance::recover(file, now().wall, dry_run, settings.storage.fallback_dir,
                           settings.session.resume_window.count());
  const bool damaged = !report.clean && report.integrity != "ok";
  if (common.as_json) {
    json attempts = json::array();
    for (const auto& one : report.attempts) {
      attempts.push_back({{"session_id", one.session_id},
                          {"attempt", one.attempt},
                          {"events", one.events},
                          {"turns", one.turns},
                          {"interrupted", one.interrupted}});
    }
    print({{"clean", report.clean},
           {"dry_run", report.dry_run},
           {"integrity", report.clean ? json() : json(report.integrity)},
           {"unreadable_rows", report.unreadable_rows},
           {"segment_events", report.segment_events},
           {"segment_endings", report.segment_endings},
           {"logs", to_json(report.logs)},
           {"attempts", attempts}});
    return damaged ? exit_code::failed : exit_code::ok;
  }
  for (const auto& log : report.logs) std::cout << in_words(log) << "\n";
  if (damaged) {
    return fail(file.string() + ": damaged: " + report.integrity +
                    ". Nothing was recovered; see docs/durability.md, Check and repair",
                exit_code::failed);
  }
  if (report.clean) {
    std::cout << "The journal was closed cleanly: there is nothing to recover.\n";
    return exit_code::ok;
  }
  const char* const tense =
      dry_run ? " would be" : (report.attempts.size() == 1 ? " was" : " were");
  std::cout << "The journal was not closed cleanly. Its file is sound.\n";
  if (report.segment_events + report.segment_endings > 0) {
    std::cout << "From the fallback directory: " << quantity(report.segment_events, "journal row")
              << " and " << quantity(report.segment_endings, "ending") << ".\n";
  }
  std::cout << quantity(report.attempts.size(), "attempt") << tense << " recovered"
            << (report.attempts.empty() ? ".\n" : ":\n");
  for (const auto& one : report.attempts) {
    std::cout << one.session_id << "  attempt " << one.attempt << "  events=" << one.events
              << "  turns=" << one.turns << "  interrupted=" << one.interrupted << "\n";
  }
  if (report.unreadable_rows > 0) {
    std::cout << quantity(report.unreadable_rows, "journal row")
              << " cannot be read; recovery sets " << (report.unreadable_rows == 1 ? "it" : "them")
              << " aside.\n";
  }
  return exit_code::ok;
}

int list_deliveries(const Common& common, bool dead_only) {
  json list = json::array();
  for (const store::Delivery& one : store_of(common.settings()).undelivered(dead_only)) {
    const store::Message& message = one.message;
    list.push_back({{"message", message.public_id},
                    {"type", store::to_string(message.kind)},
                    {"session_id", message.session_id},
                    {"attempt", message.attempt},
                    {"target", one.target},
                    {"state", store::to_string(one.state)},
                    {"tries", message.tries},
                    {"last_error", message.last_error}});
    if (common.as_json) continue;
    std::cout << message.public_id << "  " << store::to_string(message.kind) << "  "
              << message.session_id << "  " << one.target << "  " << store::to_string(one.state)
              << "  tries=" << message.tries << "  " << printable(message.last_error) << "\n";
  }
  if (common.as_json) print(list);
  return exit_code::ok;
}

int redrive_deliveries(const Common& common, const std::string& message) {
  const auto count =
      store_of(common.settings())
          .redrive(message.empty() ? std::nullopt : std::optional<std::string>(message));
  if (common.as_json) {
    print({{"redriven", count}});
  } else {
    std::cout << quantity(static_cast<std::size_t>(count), "dead letter")
              << " will be sent again by the server.\n";
  }
  return count == 0 && !message.empty() ? exit_code::not_found : exit_code::ok;
}

}  // namespace verbatim::app
