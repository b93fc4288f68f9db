#include "storage/sqlite_store/sqlite_outbox.hpp"

#include <utility>

#include "storage/rows/transcript_store.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite_store/change.hpp"

namespace verbatim::sqlite_store {

struct SqliteOutbox::Connections {
  explicit Connections(const std::filesystem::path& file)
      : messages(file, {.access = sqlite::Access::read_only}), transcripts(file) {}
  sqlite::Database messages;
  rows::TranscriptStore transcripts;
};

SqliteOutbox::SqliteOutbox(std::filesystem::path file, journal::SqliteJournal& journal,
                           std::string target)
    : file_(std::move(file)), journal_(journal), target_(std::move(target)) {}

SqliteOutbox::~SqliteOutbox() = default;

bool SqliteOutbox::ready() {
  return connections_ || journal_.state() != store::JournalState::unavailable;
}

template <class T, class Read>
void SqliteOutbox::read(const Read& read, const store::Done<T>& done) {
  const auto found = [&]() -> store::StoreResult<T> {
    try {
      if (!connections_) connections_ = std::make_unique<Connections>(file_);
      return read(*connections_);
    } catch (const store::StorageError& error) {
      return tl::unexpected(error);
    }
  };
  done(found());
}

void SqliteOutbox::next(std::int64_t after, store::Done<store::NextMessage> done) {
  const auto look = [&](Connections& with) {
    store::NextMessage found;
    // First: a message that is written meanwhile must not be passed over.
    found.newest = rows::newest_message(with.messages);
    found.message = rows::next_message(with.messages, target_, after);
    return found;
  };
  read<store::NextMessage>(look, done);
}

void SqliteOutbox::count(std::int64_t after, unsigned wanted, store::Done<store::Backlog> done) {
  const auto look = [&](Connections& with) {
    return rows::backlog(with.messages, target_, after, wanted);
  };
  read<store::Backlog>(look, done);
}

void SqliteOutbox::read_subject(const store::Message& message,
                                store::Done<std::optional<store::MessageSubject>> done) {
  using Found = std::optional<store::MessageSubject>;
  const auto look = [&](Connections& with) -> Found {
    auto session = with.transcripts.session(message.session_id);
    auto attempt = with.transcripts.transcript(message.session_id, message.attempt);
    if (!session || !attempt) return std::nullopt;
    return store::MessageSubject{*std::move(session), *std::move(attempt)};
  };
  read<Found>(look, done);
}

void SqliteOutbox::begin_try(std::int64_t message, store::Done<> done) {
  const auto work = [message, target = target_](sqlite::Database& database) {
    rows::begin_try(database, message, target);
  };
  change(journal_, work, std::move(done));
}

void SqliteOutbox::end_try(std::int64_t message, store::TryOutcome outcome,
                           std::vector<std::string> targets, store::Done<> done) {
  const auto work = [message, target = target_, outcome = std::move(outcome),
                     targets = std::move(targets)](sqlite::Database& database) {
    rows::record_delivery(database, message, target, outcome.state, outcome.due_at, outcome.error,
                          targets);
  };
  change(journal_, work, std::move(done));
}

}  // namespace verbatim::sqlite_store
