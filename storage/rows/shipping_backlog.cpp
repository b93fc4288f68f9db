#include "storage/rows/shipping_backlog.hpp"

#include "storage/rows/row_writer.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {

store::ShippingBacklog shipping_backlog(sqlite::Database& database, transcript::Sequence shipped,
                                        std::int64_t rows_max) {
  const sqlite::Savepoint snapshot(database);
  store::ShippingBacklog backlog;
  backlog.highest = highest_sequence(database);
  const auto count_of = [](const sqlite::Query& row, int column) {
    return static_cast<std::uint64_t>(row.integer(column));
  };
  transcript::Sequence counted_to = 0;
  {
    sqlite::Query events = database.query(
        "SELECT count(*), coalesce(sum(length(body)), 0), max(seq) FROM (SELECT seq, body "
        "FROM journal WHERE seq > ? ORDER BY seq LIMIT ?)");
    events.bind(shipped, rows_max).step();
    backlog.events = count_of(events, 0);
    backlog.bytes = count_of(events, 1);
    if (backlog.events > 0) counted_to = static_cast<transcript::Sequence>(events.integer(2));
  }
  if (counted_to > 0) {
    sqlite::Query oldest =
        database.query("SELECT at FROM journal WHERE seq > ? ORDER BY seq LIMIT 1");
    if (oldest.bind(shipped).step()) backlog.oldest_at = oldest.integer(0);
  }
  sqlite::Query rows = database.query(
      "SELECT count(*) FROM (SELECT 1 FROM dirty WHERE seq > ?1 UNION ALL "
      "SELECT 1 FROM dirty WHERE seq <= 0 LIMIT ?2)");
  if (rows.bind(shipped, rows_max).step()) backlog.rows = count_of(rows, 0);
  const auto most = static_cast<std::uint64_t>(rows_max);
  backlog.exact = backlog.events < most && backlog.rows < most;
  if (backlog.events == most && counted_to > shipped) {
    const double whole =
        static_cast<double>(backlog.highest - shipped) / static_cast<double>(counted_to - shipped);
    backlog.events = static_cast<std::uint64_t>(static_cast<double>(backlog.events) * whole);
    backlog.bytes = static_cast<std::uint64_t>(static_cast<double>(backlog.bytes) * whole);
  }
  return backlog;
}

}  // namespace verbatim::rows
