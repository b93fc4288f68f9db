// The messages for one webhook target, in SQLite.
//
// Reads by its own connections on the caller's thread, so that targets delay neither each other nor
// the API; writes through the journal's writer.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/store/webhook_store.hpp"

namespace verbatim::sqlite_store {

class SqliteOutbox final : public store::WebhookOutbox {
 public:
  /// `journal` must outlive it. The file is opened later, by the first read.
  SqliteOutbox(std::filesystem::path file, journal::SqliteJournal& journal, std::string target,
               store::DeliveryRecords records);
  ~SqliteOutbox() override;

  bool ready() override;
  void find_new(const store::NewQuery& query, store::Done<store::NewMessages> done) override;
  void find_due(const store::DueQuery& query,
                store::Done<std::vector<store::WebhookMessage>> done) override;
  void find_following(const store::WebhookMessage& done_with, unsigned wanted,
                      store::Done<std::optional<store::WebhookMessage>> done) override;
  void count(std::int64_t after, unsigned wanted, store::Done<store::Backlog> done) override;
  void read_subject(const store::WebhookMessage& message,
                    store::Done<std::optional<store::MessageSubject>> done) override;
  void begin_try(std::int64_t message, store::Done<> done) override;
  void end_try(std::int64_t message, store::TryOutcome outcome, store::Done<> done) override;
  void put_off(std::int64_t message, TimeMs due_at, store::Done<> done) override;
  void settle_anew(std::int64_t settle_ms, store::Done<> done) override;
  void pass_over(std::vector<std::int64_t> messages, TimeMs now, store::Done<> done) override;
  void finish_received(std::int64_t after, TimeMs now,
                       store::Done<std::optional<std::int64_t>> done) override;

 private:
  struct Connections;

  template <class T, class Read>
  void read(const Read& read, const store::Done<T>& done);

  const std::filesystem::path file_;
  journal::SqliteJournal& journal_;
  const std::string target_;
  const store::DeliveryRecords records_;
  std::unique_ptr<Connections> connections_;  ///< null before the first read
};

}  // namespace verbatim::sqlite_store
