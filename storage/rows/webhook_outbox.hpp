// The rows of webhook messages and deliveries (storage/store/webhook_store.hpp).
//
// On the database's thread; each function is part of the caller's transaction. All throw
// StorageError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/journal.hpp"
#include "storage/store/webhook_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// Sets the kinds of messages that are written from now on, one bit each. The file keeps the
/// setting, so that recovery also writes them. Zero without webhooks, so that no messages pile up.
void want_messages(sqlite::Database& database, unsigned kinds);

/// Writes the message if its kind is wanted. The end of an attempt is announced once. A changed
/// transcript is announced only after the message of the end was tried at least once: until then
/// that message will bring the change.
void announce(sqlite::Database& database, store::WebhookKind kind, transcript::AttemptId attempt,
              TimeMs now, const std::string& item_id = {});

/// Like store::WebhookOutbox, for one target.
store::NewMessages find_new(sqlite::Database& database, const std::string& target,
                            const store::NewQuery& query);
std::vector<store::WebhookMessage> find_due(sqlite::Database& database, const std::string& target,
                                            const store::DueQuery& query);
std::optional<store::WebhookMessage> find_following(sqlite::Database& database,
                                                    const std::string& target,
                                                    const store::WebhookMessage& done_with,
                                                    unsigned wanted);

/// Call it before the body is made: later changes of the transcript get a message of their own. A
/// try that has no recorded outcome, after a crash, is repeated.
void begin_try(sqlite::Database& database, std::int64_t message, const std::string& target);
/// Records the outcome of a try. If the message waits after that, so do the other waiting messages
/// of its session. If all targets have received the message, it is done: it is deleted when the
/// records say so, except an end.
void end_try(sqlite::Database& database, std::int64_t message, const std::string& target,
             const store::TryOutcome& outcome, const store::DeliveryRecords& records);
/// The message is due at that time. It counts as untried.
void put_off(sqlite::Database& database, std::int64_t message, const std::string& target,
             TimeMs due_at);
/// Messages that were put off and not tried are due `settle_ms` after they were written.
void settle_anew(sqlite::Database& database, const std::string& target, std::int64_t settle_ms);
/// The target does not want these messages. Also deletes some expired records.
void pass_over(sqlite::Database& database, const std::vector<std::int64_t>& messages,
               const std::string& target, const store::DeliveryRecords& records, TimeMs now);
/// Looks at some pending messages after `after`: those that all targets have received are done, as
/// when a target was removed. Returns the last one that was examined; nullopt: there is none.
std::optional<std::int64_t> finish_received(sqlite::Database& database, std::int64_t after,
                                            const store::DeliveryRecords& records, TimeMs now);

/// Counts the kinds in `wanted`, one bit each. `after`: no earlier message waits untried.
store::Backlog backlog(sqlite::Database& database, const std::string& target, std::int64_t after,
                       unsigned wanted);

}  // namespace verbatim::rows
