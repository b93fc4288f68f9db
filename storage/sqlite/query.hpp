// One use of a prepared statement: bind, step, read. The destructor resets the statement, so that
// no read transaction stays open.
//
// Lives within one scope on the database's thread. Bound text is not copied: it must outlive the
// query.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace SQLite {
class Statement;
}

namespace verbatim::sqlite {

class Database;

/// Bytes rather than text.
struct Blob {
  std::string_view bytes;
};

class Query {
 public:
  Query(Database& database, SQLite::Statement& statement)
      : database_(database), statement_(statement) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// Binds the statement's `?` from left to right, in one or more calls; all must be bound.
  template <class... Values>
  Query& bind(const Values&... values) {
    (put(values), ...);
    return *this;
  }

  /// True while there is a row to read. Throws StorageError.
  bool step();
  /// Runs a statement that returns no rows.
  void run();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::string text(int column) const;
  /// Valid until the next step.
  std::string_view blob(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;

 private:
  void put(std::int64_t value);
  void put(int value) { put(static_cast<std::int64_t>(value)); }
  void put(bool value) { put(static_cast<std::int64_t>(value)); }
  void put(std::uint64_t value) { put(static_cast<std::int64_t>(value)); }
  void put(const std::string& value);
  void put(Blob value);
  void put(std::nullopt_t);
  template <class T>
  void put(const std::optional<T>& value) {
    value ? put(*value) : put(std::nullopt);
  }

  Database& database_;
  SQLite::Statement& statement_;
  int bound_ = 0;
};

}  // namespace verbatim::sqlite
