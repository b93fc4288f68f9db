// The messages for one webhook target, in SQLite.
//
// Reads by its own connections on the caller's thread, so that targets delay neither each other nor
// the API; writes through the journal's writer.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/store/outbox_store.hpp"

namespace verbatim::sqlite_store {

class SqliteOutbox final : public store::Outbox {
 public:
  /// `journal` must outlive it. The file is opened later, by the first read.
  SqliteOutbox(std::filesystem::path file, journal::SqliteJournal& journal, std::string target);
  ~SqliteOutbox() override;

  bool ready() override;
  void next(std::int64_t after, store::Done<store::NextMessage> done) override;
  void count(std::int64_t after, unsigned wanted, store::Done<store::Backlog> done) override;
  void read_subject(const store::Message& message,
                    store::Done<std::optional<store::MessageSubject>> done) override;
  void begin_try(std::int64_t message, store::Done<> done) override;
  void end_try(std::int64_t message, store::TryOutcome outcome, std::vector<std::string> targets,
               store::Done<> done) override;

 private:
  struct Connections;

  template <class T, class Read>
  void read(const Read& read, const store::Done<T>& done);

  const std::filesystem::path file_;
  journal::SqliteJournal& journal_;
  const std::string target_;
  std::unique_ptr<Connections> connections_;  ///< null before the first read
};

}  // namespace verbatim::sqlite_store
