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
                           std::string target, store::DeliveryRecords records)
    : file_(std::move(file)),
      journal_(journal),
      target_(std::move(target)),
      records_(std::move(records)) {}

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

void SqliteOutbox::find_new(const store::NewQuery& query, store::Done<store::NewMessages> done) {
  const auto look = [&](Connections& with) {
    return rows::find_new(with.messages, target_, query);
  };
  read<store::NewMessages>(look, done);
}

void SqliteOutbox::find_due(const store::DueQuery& query,
                            store::Done<std::vector<store::WebhookMessage>> done) {
  const auto look = [&](Connections& with) {
    return rows::find_due(with.messages, target_, query);
  };
  read<std::vector<store::WebhookMessage>>(look, done);
}

void SqliteOutbox::find_following(const store::WebhookMessage& done_with, unsigned wanted,
                                  store::Done<std::optional<store::WebhookMessage>> done) {
  const auto look = [&](Connections& with) {
    return rows::find_following(with.messages, target_, done_with, wanted);
  };
  read<std::optional<store::WebhookMessage>>(look, done);
}

void SqliteOutbox::count(std::int64_t after, unsigned wanted, store::Done<store::Backlog> done) {
  const auto look = [&](Connections& with) {
    return rows::backlog(with.messages, target_, after, wanted);
  };
  read<store::Backlog>(look, done);
}

void SqliteOutbox::read_subject(const store::WebhookMessage& message,
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

void SqliteOutbox::end_try(std::int64_t message, store::TryOutcome outcome, store::Done<> done) {
  const auto work = [message, target = target_, outcome = std::move(outcome),
                     records = records_](sqlite::Database& database) {
    rows::end_try(database, message, target, outcome, records);
  };
  change(journal_, work, std::move(done));
}

void SqliteOutbox::put_off(std::int64_t message, TimeMs due_at, store::Done<> done) {
  const auto work = [message, due_at, target = target_](sqlite::Database& database) {
    rows::put_off(database, message, target, due_at);
  };
  change(journal_, work, std::move(done));
}

void SqliteOutbox::settle_anew(std::int64_t settle_ms, store::Done<> done) {
  const auto work = [settle_ms, target = target_](sqlite::Database& database) {
    rows::settle_anew(database, target, settle_ms);
  };
  change(journal_, work, std::move(done));
}

void SqliteOutbox::pass_over(std::vector<std::int64_t> messages, TimeMs now, store::Done<> done) {
  const auto work = [messages = std::move(messages), now, target = target_,
                     records = records_](sqlite::Database& database) {
    rows::pass_over(database, messages, target, records, now);
  };
  change(journal_, work, std::move(done));
}

void SqliteOutbox::finish_received(std::int64_t after, TimeMs now,
                                   store::Done<std::optional<std::int64_t>> done) {
  const auto work = [after, now, records = records_](sqlite::Database& database) {
    return rows::finish_received(database, after, records, now);
  };
  change(journal_, work, std::move(done));
}

}  // namespace verbatim::sqlite_store
