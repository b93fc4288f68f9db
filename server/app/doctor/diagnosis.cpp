#include "server/app/doctor/diagnosis.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <fstream>

#include "base/clock.hpp"
#include "base/enum_names.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/start_check.hpp"

namespace verbatim::app {

namespace {

constexpr Name<Health> health_names[] = {
    {Health::good, "ok"}, {Health::warning, "warning"}, {Health::bad, "problem"}};

/// The process with a lock on the file. /proc/locks has lines such as
/// "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF", the device in hexadecimal.
std::optional<pid_t> holder_of(const std::filesystem::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return std::nullopt;
  char wanted[64];
  std::snprintf(wanted, sizeof wanted, "%02x:%02x:%lu", major(found.st_dev), minor(found.st_dev),
                static_cast<unsigned long>(found.st_ino));
  std::ifstream locks("/proc/locks");
  std::string number;
  std::string kind;
  std::string advice;
  std::string access;
  std::string inode;
  std::string rest;
  pid_t pid = 0;
  while (locks >> number >> kind >> advice >> access >> pid >> inode && std::getline(locks, rest)) {
    if (kind == "FLOCK" && inode == wanted && pid > 0) return pid;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Health health) { return name_of(health, health_names); }

Examined examined(const config::Settings& settings) {
  Examined relay{settings, is_served(settings.server.data_dir), std::nullopt};
  if (relay.served) relay.relay = holder_of(lock_in(settings.server.data_dir));
  return relay;
}

void examine_files(const Examined& relay, Diagnoses& found) {
  bool sound = true;
  for (const Finding& one : check_start(relay.settings, now().wall)) {
    sound = sound && !one.is_error;
    found.push_back({"configuration", one.is_error ? Health::bad : Health::warning,
                     one.where.empty() ? one.what : one.where + ": " + one.what, one.advice});
  }
  if (sound) found.push_back({"configuration", Health::good, "configuration is sound", ""});
}

}  // namespace verbatim::app
