// The folders of a start: whether this user and other users may use them.
#include <fcntl.h>
#include <linux/magic.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "config/secrets.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/start_check.hpp"

namespace verbatim::app {

namespace {

namespace fs = std::filesystem;

std::string user_name(uid_t id) {
  const passwd* const entry = ::getpwuid(id);
  return entry != nullptr ? entry->pw_name : "user " + std::to_string(id);
}

std::string mode_of(const struct stat& what) {
  char text[8];
  std::snprintf(text, sizeof text, "%03o", static_cast<unsigned>(what.st_mode & 07777));
  return text;
}

bool permitted(const fs::path& path, int rights) {
  return ::faccessat(AT_FDCWD, path.c_str(), rights, AT_EACCESS) == 0;
}

constexpr const char* view_of_kernel = "is a view of the kernel, which keeps no files";

/// /proc, /sys and the like: their permissions promise what the kernel then refuses.
bool is_view_of_kernel(const fs::path& folder) {
  constexpr std::array<long, 8> kinds = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,       CGROUP_SUPER_MAGIC,
                                         CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,     TRACEFS_MAGIC,
                                         SECURITYFS_MAGIC,    DEVPTS_SUPER_MAGIC};
  struct statfs found {};
  return ::statfs(folder.c_str(), &found) == 0 &&
         std::find(kinds.begin(), kinds.end(), static_cast<long>(found.f_type)) != kinds.end();
}

class FolderCheck {
 public:
  /// `made`: the start makes the folder if it is missing.
  FolderCheck(std::string key, fs::path folder, bool made, Findings& findings)
      : where_(key + " " + folder.string()),
        key_(std::move(key)),
        folder_(std::move(folder)),
        made_(made),
        findings_(findings) {}

  /// Returns whether the folder exists and can be used.
  bool check() {
    struct stat found {};
    if (::stat(folder_.c_str(), &found) != 0) {
      if (errno == ENOENT && made_)
        check_parent();
      else
        error(std::strerror(errno), advice());
      return false;
    }
    if (!S_ISDIR(found.st_mode)) {
      error("is not a directory", "Set " + key_ + " to a directory.");
      return false;
    }
    if (is_view_of_kernel(folder_)) {
      error(view_of_kernel, advice());
      return false;
    }
    check_owner(found);
    if (permitted(folder_, R_OK | W_OK | X_OK)) return true;
    error(user_name(::geteuid()) + " cannot read and write it: it belongs to " +
              user_name(found.st_uid) + " (mode " + mode_of(found) + ")",
          advice());
    return false;
  }

  /// Every file directly in the folder; the start opens most of them.
  void check_files() {
    std::error_code ec;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_, ec)) {
      if (!entry.is_regular_file(ec) || permitted(entry.path(), R_OK | W_OK)) continue;
      struct stat found {};
      ::stat(entry.path().c_str(), &found);
      findings_.push_back(
          {true, entry.path().string(),
           user_name(::geteuid()) +
               " cannot read and write this file: it belongs "
               "to " +
               user_name(found.st_uid) + " (mode " + mode_of(found) + ")",
           "Change its owner: chown " + user_name(::geteuid()) + " " + entry.path().string()});
    }
  }

 private:
  void error(const std::string& what, const std::string& advice) {
    findings_.push_back({true, where_, what, advice});
  }
  void warn(const std::string& what, const std::string& advice) {
    findings_.push_back({false, where_, what, advice});
  }
  std::string advice() const {
    return "Set " + key_ + " to a directory that this user can write to, or change the owner.";
  }

  void check_parent() {
    const fs::path parent = existing_part(folder_);
    std::error_code ec;
    if (!fs::is_directory(parent, ec))
      error("cannot be made: " + parent.string() + " is not a directory", advice());
    else if (is_view_of_kernel(parent))
      error("cannot be made: " + parent.string() + " " + view_of_kernel, advice());
    else if (!permitted(parent, W_OK | X_OK))
      error(
          "does not exist, and " + user_name(::geteuid()) + " cannot make it in " + parent.string(),
          advice());
  }

  /// Conversations are in these files: others should neither read nor replace them.
  void check_owner(const struct stat& found) {
    const std::string owner = user_name(found.st_uid);
    if (::geteuid() == 0 && found.st_uid != 0) {
      warn("belongs to " + owner + ", but this command runs as root, who may use every file",
           "Run it as the user of the relay: sudo -u " + owner + " verbatim check");
    } else if (found.st_uid != ::geteuid() && found.st_uid != 0) {
      warn("belongs to " + owner + ", who can change it", "Change the owner to the relay's user.");
    }
    if ((found.st_mode & S_IWOTH) != 0)
      error("every user of this machine can write to it (mode " + mode_of(found) + ")",
            "Run: chmod 700 " + folder_.string());
    else if ((found.st_mode & (S_IROTH | S_IXOTH)) != 0)
      warn("every user of this machine can read it (mode " + mode_of(found) + ")",
           "Run: chmod 700 " + folder_.string());
  }

  const std::string where_;
  const std::string key_;
  const fs::path folder_;
  const bool made_;
  Findings& findings_;
};

void check_token_secret(const config::Settings& settings, Findings& findings) {
  const fs::path file = settings.server.data_dir / "token_secret";
  std::error_code ec;
  if (!settings.auth.token_secret.empty() || !fs::exists(file, ec) || !permitted(file, R_OK))
    return;
  try {
    token_secret_in(settings.server.data_dir);
  } catch (const std::exception& error) {
    findings.push_back({true, "", error.what(), ""});
  }
  if (const std::string warning = config::secret_file_warning(file); !warning.empty())
    findings.push_back({false, file.string(), warning, ""});
}

bool same_disk(const fs::path& one, const fs::path& other) {
  struct stat a {};
  struct stat b {};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev;
}

void check_fallback(const config::Settings& settings, Findings& findings) {
  const fs::path& folder = settings.storage.fallback_dir;
  if (folder.empty()) return;
  FolderCheck check("storage.fallback_dir", folder, true, findings);
  if (check.check()) check.check_files();
  if (same_disk(existing_part(folder), existing_part(settings.server.data_dir)))
    findings.push_back({false, "storage.fallback_dir " + folder.string(),
                        "is on the same disk as server.data_dir, and fails with it",
                        "Set a directory on another disk."});
}

}  // namespace

fs::path existing_part(const fs::path& folder) {
  std::error_code ec;
  fs::path part = fs::absolute(folder, ec).lexically_normal();
  while (part.has_relative_path() && !fs::exists(part, ec)) part = part.parent_path();
  return part;
}

void check_folders(const config::Settings& settings, Findings& findings) {
  FolderCheck data("server.data_dir", settings.server.data_dir, true, findings);
  if (data.check()) {
    data.check_files();
    check_token_secret(settings, findings);
  }
  check_fallback(settings, findings);
  if (!settings.capture.dir.empty())
    FolderCheck("capture.dir", settings.capture.dir, true, findings).check();
  if (settings.recording.enabled != config::Record::no && !settings.recording.dir.empty())
    FolderCheck("recording.dir", settings.recording.dir, true, findings).check();
  const fs::path& recordings = settings.simulator.recordings_dir;
  std::error_code ec;
  if (!recordings.empty() && !fs::is_directory(recordings, ec))
    findings.push_back({true, "simulator.recordings_dir " + recordings.string(),
                        "is not a directory",
                        "Set a directory with recorded streams, or nothing."});
}

}  // namespace verbatim::app
