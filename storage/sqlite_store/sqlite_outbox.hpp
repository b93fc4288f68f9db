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

namespace verbatim::storage {

class SqliteOutbox final : public Outbox {
 public:
  /// `journal` must outlive it. The file is opened later, by the first read.
  SqliteOutbox(std::filesystem::path file, SqliteJournal& journal, std::string target);
  ~SqliteOutbox() override;

  bool ready() override;
  void next(std::int64_t after, Done<NextMessage> done) override;
  void count(std::int64_t after, unsigned wanted, Done<Backlog> done) override;
  void read_subject(const Message& message, Done<std::optional<MessageSubject>> done) override;
  void begin_try(std::int64_t message, Done<> done) override;
  void end_try(std::int64_t message, TryOutcome outcome, std::vector<std::string> targets,
               Done<> done) override;

 private:
  struct Connections;

  template <class T, class Read>
  void read(const Read& read, const Done<T>& done);

  const std::filesystem::path file_;
  SqliteJournal& journal_;
  const std::string target_;
  std::unique_ptr<Connections> connections_;  ///< null before the first read
};

}  // namespace verbatim::storage
