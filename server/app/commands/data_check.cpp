// verbatim check --data
#include <iostream>
#include <optional>

#include "base/json/tree.hpp"
#include "server/app/commands/offline.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/progress.hpp"

namespace verbatim::app {

namespace {

/// The findings of a check of a store.
struct Found {
  std::filesystem::path file;
  bool served = false;  ///< by a running server
  maintenance::StoreCheck check;
  std::optional<std::filesystem::path> segment;  ///< in the fallback directory

  bool readable() const { return check.integrity == "ok"; }
  bool to_recover() const {
    return readable() && !served && (!check.clean || check.counts.open_attempts > 0 || segment);
  }
};

void print_json(const Found& found) {
  const maintenance::StoreCheck& check = found.check;
  Json findings = Json::array();
  for (const auto& one : check.findings)
    findings.push_back({{"what", one.what}, {"count", one.count}, {"first", one.first}});
  print({{"file", found.file.string()},
         {"sound", check.sound()},
         {"integrity", check.integrity},
         {"served", found.served},
         {"clean", found.readable() ? Json(check.clean) : Json()},
         {"recovery_needed", found.to_recover()},
         {"counts", found.readable() ? to_json(check.counts) : Json()},
         {"findings", findings},
         {"logs", to_json(check.logs)},
         {"segment", found.segment ? Json(found.segment->string()) : Json()}});
}

void print_words(const Found& found) {
  const maintenance::StoreCheck& check = found.check;
  std::cout << found.file.string()
            << (found.served ? ", in use by a relay\n" : ", no relay running\n");
  std::cout << "integrity: " << check.integrity << "\n";
  if (found.readable()) std::cout << in_words(check.counts) << "\n";
  for (const auto& one : check.findings)
    std::cout << "wrong: " << one.count << " " << one.what << " (first: " << one.first << ")\n";
  for (const auto& log : check.logs) std::cout << in_words(log) << "\n";
  if (check.counts.unreadable > 0)
    std::cout << "set aside by an earlier recovery: "
              << quantity(check.counts.unreadable, "unreadable journal row") << "\n";
  if (found.segment) std::cout << "journal continues in: " << found.segment->string() << "\n";
  if (found.to_recover())
    std::cout << "not closed cleanly: the next start, or `verbatim recover`, recovers it\n";
  std::cout << (check.sound() ? "sound\n"
                              : "NOT sound: see docs/durability.md, Check and repair\n");
}

}  // namespace

int check_data(const Common& common, const std::string& data_dir) {
  const config::Settings settings = settings_for(common, data_dir);
  Found found;
  found.file = whole_store(settings);
  found.served = is_served(settings.server.data_dir);
  {
    const Progress progress("check", store_size(found.file));
    found.check = maintenance::check_file(found.file, found.served);
  }
  found.segment = store_of(settings).segment();
  if (common.as_json)
    print_json(found);
  else
    print_words(found);
  return found.check.sound() ? exit_code::ok : exit_code::failed;
}

}  // namespace verbatim::app
