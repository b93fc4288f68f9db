#include "storage/sqlite/open_files.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "storage/sqlite/database.hpp"
#include "storage/sqlite/store_files.hpp"

namespace verbatim::sqlite {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& file, const char* what) {
  throw store::StorageError(store::Failure::taken_away,
                            file.string() + ": " + what + " while in use; " +
                                store::advice_for(store::Failure::taken_away));
}

}  // namespace

OpenFiles::OpenFiles(Database& database) {
  // Made absolute and resolved now: the working directory and links may change later.
  const fs::path file = fs::absolute(linked_file(database.file()));
  for (const fs::path& name : {file, log_of(file), index_of(file)}) {
    struct stat now {};
    if (::stat(name.c_str(), &now) != 0) refuse(name, "was removed");
    files_.push_back({name, now.st_dev, now.st_ino});
  }
  if (database.has_moved()) refuse(file, "was replaced");
}

void OpenFiles::check() const {
  for (const File& file : files_) {
    struct stat now {};
    if (::stat(file.name.c_str(), &now) == 0) {
      if (now.st_dev != file.device || now.st_ino != file.inode)
        refuse(file.name, "was replaced by another file");
    } else if (errno == ENOENT || errno == ENOTDIR || errno == ESTALE) {
      refuse(file.name, "was removed or renamed");
    }
  }
}

}  // namespace verbatim::sqlite
