#include "storage/sqlite/io_timer.hpp"

#include "storage/sqlite/database.hpp"

namespace verbatim::sqlite {

OffTheDisk::OffTheDisk(IoTimer& watched, Database& database)
    : watched_(watched), database_(database) {
  watched_.end();
  database_.watch_statements(&watched_);
}

OffTheDisk::~OffTheDisk() {
  database_.watch_statements(nullptr);
  watched_.begin();
}

}  // namespace verbatim::sqlite
