#include "storage/sqlite_store/sqlite_shipping.hpp"

#include <algorithm>
#include <utility>

#include "storage/rows/change_tracking.hpp"
#include "storage/rows/shipping_backlog.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite_store/change.hpp"

namespace verbatim::sqlite_store {
namespace {

constexpr std::int64_t backlog_rows_counted = 10'000;

}  // namespace

SqliteShipping::SqliteShipping(std::filesystem::path file, journal::SqliteJournal& journal,
                               std::shared_ptr<journal::CommitSignal> signal)
    : file_(std::move(file)),
      journal_(journal),
      signal_(std::move(signal)),
      numbering_(std::make_shared<std::atomic<bool>>(false)) {}

SqliteShipping::~SqliteShipping() = default;

template <class Read>
auto SqliteShipping::read(const Read& read)
    -> store::StoreResult<std::invoke_result_t<Read, sqlite::Database&>> {
  try {
    if (!connection_)
      connection_ = std::make_unique<sqlite::Database>(
          file_, sqlite::Database::Options{.access = sqlite::Access::read_only});
    return read(*connection_);
  } catch (const store::StorageError& error) {
    return tl::unexpected(error);
  }
}

store::StoreResult<store::StreamIdentity> SqliteShipping::identity() {
  return read([](sqlite::Database& database) { return rows::stream_identity(database); });
}

store::StoreResult<transcript::Sequence> SqliteShipping::shipped() {
  return read([](sqlite::Database& database) {
    const auto state = rows::shipping_state(database);
    return state ? state->shipped : 0;
  });
}

store::StoreResult<bool> SqliteShipping::continues(const std::string& run,
                                                   transcript::Sequence upto) {
  return read([&](sqlite::Database& database) { return rows::is_continued(database, run, upto); });
}

void SqliteShipping::renew_identity(store::Done<store::StreamIdentity> done) {
  change(journal_, rows::renew_identity, std::move(done));
}

store::StoreResult<store::Shipment> SqliteShipping::read_shipment(
    transcript::Sequence after, const store::ShipmentLimits& limits, bool catch_up) {
  // Read before the snapshot begins, so that the snapshot has all of it.
  const transcript::Sequence in_database = journal_.durable_in_database();
  bool numbers_missing = false;
  auto shipment = read([&](sqlite::Database& database) {
    store::Shipment next = reader_.read(database, after, limits, catch_up);
    numbers_missing = !next.more && rows::needs_numbers(database);
    return next;
  });
  if (!shipment) return shipment;
  if (shipment->empty() && !shipment->more) shipment->upto = std::max(after, in_database);
  if (numbers_missing) number_and_mark();
  return shipment;
}

/// One step at a time, and only after the shipper has read all of the step before, so that marked
/// rows do not pile up.
void SqliteShipping::number_and_mark() {
  if (numbering_->exchange(true)) return;
  change(journal_, rows::number_and_mark,
         [numbering = numbering_](const store::StoreResult<>&) { numbering->store(false); });
}

void SqliteShipping::note_shipped(transcript::Sequence upto, store::Done<> done) {
  journal_.note_shipped(
      upto, false, [done = std::move(done)](bool, const store::StorageError* why) {
        done(why ? store::StoreResult<>(tl::unexpect, *why) : store::StoreResult<>());
      });
}

void SqliteShipping::resume_from(transcript::Sequence upto, store::Done<bool> done) {
  journal_.note_shipped(
      upto, true, [done = std::move(done)](bool marked, const store::StorageError* why) {
        done(why ? store::StoreResult<bool>(tl::unexpect, *why) : store::StoreResult<bool>(marked));
      });
}

store::StoreResult<store::ShippingBacklog> SqliteShipping::backlog() {
  return read([](sqlite::Database& database) {
    const auto state = rows::shipping_state(database);
    return rows::shipping_backlog(database, state ? state->shipped : 0, backlog_rows_counted);
  });
}

}  // namespace verbatim::sqlite_store
