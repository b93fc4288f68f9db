// The rows of webhook messages and deliveries (storage/store/outbox_store.hpp).
//
// On the database's thread; each function is part of the caller's transaction. All throw
// StorageError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/journal.hpp"
#include "storage/store/outbox_store.hpp"

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
void announce(sqlite::Database& database, store::MessageKind kind, transcript::AttemptId attempt,
              TimeMs now, const std::string& item_id = {});

/// The highest number ever given to a message that still exists; lower ones may be deleted.
std::int64_t newest_message(sqlite::Database& database);
/// The first message that is still to be delivered to the target: neither received nor given up.
/// nullopt: there is none.
/// - `target`: the target's name.
/// - `after`: all messages up to this number are known to have been tried on it.
std::optional<store::Message> next_message(sqlite::Database& database, const std::string& target,
                                           std::int64_t after);

/// Call it before the body is made: later changes of the transcript get a message of their own. A
/// try that has no recorded outcome, after a crash, is repeated.
void begin_try(sqlite::Database& database, std::int64_t message, const std::string& target);
/// Records the outcome of a try.
/// - `due_at`: when the next try is due.
/// - `error`: the reason of a failure, for the operator.
/// - `targets`: all current targets. A message that all of them have received is deleted, except an
///   end.
void record_delivery(sqlite::Database& database, std::int64_t message, const std::string& target,
                     store::DeliveryState state, TimeMs due_at, const std::string& error,
                     const std::vector<std::string>& targets);

/// Counts the kinds in `wanted`, one bit each; `after` as for next_message().
store::Backlog backlog(sqlite::Database& database, const std::string& target, std::int64_t after,
                       unsigned wanted);

/// Deliveries that were tried and did not succeed, oldest first.
std::vector<store::Delivery> undelivered(sqlite::Database& database, bool dead_only);
/// Puts dead deliveries back to waiting, those of one message or all. Returns how many.
std::int64_t redrive(sqlite::Database& database, const std::optional<std::string>& public_id);

}  // namespace verbatim::rows
