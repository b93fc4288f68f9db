// The stream for a shipper, from SQLite (storage/store/shipping_store.hpp).
//
// Reads by a connection of its own on the caller's thread; writes through the journal's writer.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>

#include "storage/journal/commit_signal.hpp"
#include "storage/journal/sqlite_journal.hpp"
#include "storage/rows/shipment_reader.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::sqlite_store {

class SqliteShipping final : public store::Shipping {
 public:
  /// `journal` must outlive it and track changes. The file is opened later, by the first read.
  SqliteShipping(std::filesystem::path file, journal::SqliteJournal& journal,
                 std::shared_ptr<journal::CommitSignal> signal);
  ~SqliteShipping() override;

  store::StoreResult<store::StreamIdentity> identity() override;
  store::StoreResult<transcript::Sequence> shipped() override;
  store::StoreResult<bool> continues(const std::string& run, transcript::Sequence upto) override;
  void renew_identity(store::Done<store::StreamIdentity> done) override;
  store::StoreResult<store::Shipment> read_shipment(transcript::Sequence after,
                                                    const store::ShipmentLimits& limits,
                                                    bool catch_up) override;
  void note_shipped(transcript::Sequence upto, store::Done<> done) override;
  void resume_from(transcript::Sequence upto, store::Done<bool> done) override;
  store::StoreResult<store::ShippingBacklog> backlog() override;
  int changes_fd() const override { return signal_->fd(); }
  void arm() override { signal_->arm(); }

 private:
  template <class Read>
  auto read(const Read& read) -> store::StoreResult<std::invoke_result_t<Read, sqlite::Database&>>;
  void number_and_mark();

  const std::filesystem::path file_;
  journal::SqliteJournal& journal_;
  const std::shared_ptr<journal::CommitSignal> signal_;
  std::unique_ptr<sqlite::Database> connection_;  ///< null before the first read
  rows::ShipmentReader reader_;
  /// The journal is numbering or marking rows. Shared with its thread.
  const std::shared_ptr<std::atomic<bool>> numbering_;
};

}  // namespace verbatim::sqlite_store
