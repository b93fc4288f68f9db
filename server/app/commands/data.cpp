// verbatim backup, verbatim recover; docs/durability.md explains when to use them
#include <filesystem>
#include <iostream>
#include <optional>

#include "base/clock.hpp"
#include "base/json/tree.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/commands/offline.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/progress.hpp"
#include "storage/maintenance/recovery.hpp"

namespace verbatim::app {

namespace {

namespace fs = std::filesystem;

struct BackupOptions {
  std::string file;
  std::string data_dir;
};

void add_backup_options(CLI::App& parser, BackupOptions& options) {
  parser.add_option("file", options.file, "new file for the backup")->required();
  parser.add_option("--data", options.data_dir, "data directory; default: server.data_dir");
}

/// Reads the store, and then the copy to check it.
maintenance::Backup copy_with_progress(const fs::path& store, const fs::path& target) {
  const Progress progress("backup", 2 * store_size(store));
  return maintenance::back_up(store, target);
}

int backup(const Common& common, const BackupOptions& options) {
  const config::Settings settings = settings_for(common, options.data_dir);
  const auto segment = store_of(settings).segment();
  const maintenance::Backup made = copy_with_progress(whole_store(settings), options.file);
  if (segment) {
    std::cerr << "verbatim: the journal continues in " << segment->string()
              << ". This backup does not contain that file. Copy it too, or make another backup "
                 "after the relay has left the fallback directory\n";
  }
  if (common.as_json) {
    print({{"file", options.file},
           {"bytes", made.bytes},
           {"counts", to_json(made.counts)},
           {"segment", segment ? Json(segment->string()) : Json()}});
  } else {
    std::cout << options.file << ": " << made.bytes << " bytes, " << in_words(made.counts) << "\n";
  }
  return exit_code::ok;
}

struct RecoverOptions {
  bool dry_run = false;
};

void add_recover_options(CLI::App& parser, RecoverOptions& options) {
  parser.add_flag("--dry-run", options.dry_run, "only print what would be done");
}

void print_json(const maintenance::RecoveryReport& report) {
  Json attempts = Json::array();
  for (const auto& one : report.attempts) {
    attempts.push_back({{"session_id", one.session_id},
                        {"attempt", one.attempt},
                        {"events", one.events},
                        {"turns", one.turns},
                        {"interrupted", one.interrupted}});
  }
  print({{"clean", report.clean},
         {"dry_run", report.dry_run},
         {"integrity", report.clean ? Json() : Json(report.integrity)},
         {"unreadable_rows", report.unreadable_rows},
         {"segment_events", report.segment_events},
         {"segment_endings", report.segment_endings},
         {"logs", to_json(report.logs)},
         {"attempts", attempts}});
}

void print_attempts(const maintenance::RecoveryReport& report) {
  const std::size_t count = report.attempts.size();
  const char* const tense = report.dry_run ? " would be" : (count == 1 ? " was" : " were");
  std::cout << quantity(count, "attempt") << tense << " recovered" << (count == 0 ? ".\n" : ":\n");
  for (const auto& one : report.attempts) {
    std::cout << one.session_id << "  attempt " << one.attempt << "  events=" << one.events
              << "  turns=" << one.turns << "  interrupted=" << one.interrupted << "\n";
  }
}

/// An operator who recovers by hand wants finished records; a start waits for the clients first.
void print_what_a_start_does(const config::Settings& settings,
                             const maintenance::RecoveryReport& report) {
  if (!report.dry_run || report.attempts.empty() || settings.session.resume_window.count() == 0)
    return;
  std::cout << "A start of the relay first keeps these attempts open for their clients "
               "(session.resume_window).\n";
}

/// Prints the report on a file that is not damaged.
void print_words(const maintenance::RecoveryReport& report) {
  if (report.clean) {
    std::cout << "The journal was closed cleanly: there is nothing to recover.\n";
    return;
  }
  std::cout << "The journal was not closed cleanly. Its file is sound.\n";
  if (report.segment_events + report.segment_endings > 0) {
    std::cout << "From the fallback directory: " << quantity(report.segment_events, "journal row")
              << " and " << quantity(report.segment_endings, "ending") << ".\n";
  }
  print_attempts(report);
  if (report.unreadable_rows > 0) {
    std::cout << quantity(report.unreadable_rows, "journal row")
              << " cannot be read; recovery sets " << (report.unreadable_rows == 1 ? "it" : "them")
              << " aside.\n";
  }
}

maintenance::RecoveryReport recover_with_progress(const config::Settings& settings,
                                                  const fs::path& file, bool dry_run) {
  const Progress progress("recover", store_size(file));
  return maintenance::recover(file, now().wall, dry_run, settings.storage.fallback_dir,
                              {.resume_window_ms = settings.session.resume_window.count()});
}

int recover(const Common& common, const RecoverOptions& options) {
  const config::Settings settings = common.settings();
  const fs::path file = whole_store(settings);
  if (!fs::exists(file)) return fail("there is no file " + file.string(), exit_code::not_found);
  if (options.dry_run && is_served(settings.server.data_dir))
    return fail("a relay uses " + settings.server.data_dir.string() +
                    ": its open attempts are live, not left by a crash",
                exit_code::failed);
  std::optional<DataDir> lock;
  if (!options.dry_run) lock.emplace(settings.server.data_dir);
  const maintenance::RecoveryReport report = recover_with_progress(settings, file, options.dry_run);
  const bool damaged = !report.clean && report.integrity != "ok";
  if (common.as_json) {
    print_json(report);
    return damaged ? exit_code::failed : exit_code::ok;
  }
  for (const auto& log : report.logs) std::cout << in_words(log) << "\n";
  if (damaged) {
    return fail(file.string() + ": damaged: " + report.integrity +
                    ". Nothing was recovered; see docs/durability.md, Check and repair",
                exit_code::failed);
  }
  print_words(report);
  print_what_a_start_does(settings, report);
  return exit_code::ok;
}

}  // namespace

Family data_commands() {
  return {"",
          "",
          {command("backup", "copy the database into one file; a relay may be running",
                   add_backup_options, backup),
           command("recover", "recover the journal after a crash; no relay may run",
                   add_recover_options, recover)}};
}

}  // namespace verbatim::app
