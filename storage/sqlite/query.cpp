#include "storage/sqlite/query.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

#include "storage/sqlite/database.hpp"
#include "storage/sqlite/io_timer.hpp"

namespace verbatim::sqlite {

Query::~Query() {
  statement_.tryReset();
  statement_.clearBindings();
}

bool Query::step() {
  IoTimer* const watch = database_.statement_watch();
  if (watch) watch->begin();
  try {
    const bool row = statement_.executeStep();
    if (watch) watch->end();
    return row;
  } catch (const SQLite::Exception& error) {
    if (watch) watch->end();
    throw database_.explain(error);
  }
}

void Query::run() {
  while (step()) {
  }
}

bool Query::is_null(int column) const { return statement_.getColumn(column).isNull(); }

std::int64_t Query::integer(int column) const { return statement_.getColumn(column).getInt64(); }

std::string Query::text(int column) const { return statement_.getColumn(column).getString(); }

std::string_view Query::blob(int column) const {
  const SQLite::Column value = statement_.getColumn(column);
  const void* bytes = value.getBlob();
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(value.getBytes())};
}

std::optional<std::int64_t> Query::optional_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

void Query::put(std::int64_t value) { statement_.bind(++bound_, value); }
void Query::put(const std::string& value) { statement_.bindNoCopy(++bound_, value); }
void Query::put(std::nullopt_t) { statement_.bind(++bound_); }
void Query::put(Blob value) {
  statement_.bindNoCopy(++bound_, value.bytes.data(), static_cast<int>(value.bytes.size()));
}

}  // namespace verbatim::sqlite
