// The messages for webhooks. A message is written in the same transaction as the change that it
// reports, so neither exists without the other. A delivery records one target's progress with a
// message.
//
// On the database's thread; each function is part of the caller's transaction. All throw
// StorageError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/journal.hpp"

namespace verbatim::storage {

class Database;

/// The numbers are stored: do not change them.
enum class MessageKind : std::uint8_t {
  session_started = 0,
  session_ended = 1,
  transcript_updated = 2,  ///< a post has changed a final transcript
  turn_completed = 3,
};
std::string_view to_string(MessageKind);
std::optional<MessageKind> message_kind_from_string(std::string_view);

/// Sets the kinds of messages that are written from now on, one bit each. The file keeps the
/// setting, so that recovery also writes them. Zero without webhooks, so that no messages pile up.
void want_messages(Database& database, unsigned kinds);

/// Writes the message if its kind is wanted. The end of an attempt is announced once. A changed
/// transcript is announced only after the message of the end was tried at least once: until then
/// that message will bring the change.
void announce(Database& database, MessageKind kind, session::AttemptId attempt, TimeMs now,
              const std::string& item_id = {});

enum class DeliveryState : std::uint8_t { waiting = 0, delivered = 1, dead = 2 };
std::string_view to_string(DeliveryState);

struct Message {
  std::int64_t id = 0;
  std::string public_id;  ///< the webhook-id: the same for every try
  MessageKind kind = MessageKind::session_started;
  std::string session_id;
  int attempt = 0;
  std::string item_id;
  TimeMs created_at = 0;
  int tries = 0;
  TimeMs due_at = 0;  ///< 0: not tried yet
  std::string last_error;
};

/// The highest number ever given to a message that still exists; lower ones may be deleted.
std::int64_t newest_message(Database& database);
/// The first message that the target has neither received nor been given up for. nullopt: there is
/// none.
/// - `target`: the target's name.
/// - `after`: all messages up to this number are known to have been tried on it.
std::optional<Message> next_message(Database& database, const std::string& target,
                                    std::int64_t after);

/// Call it before the body is made: later changes of the transcript get a message of their own. A
/// try that has no recorded outcome, after a crash, is repeated.
void begin_try(Database& database, std::int64_t message, const std::string& target);
/// Records the outcome of a try.
/// - `due_at`: when the next try is due.
/// - `error`: the reason of a failure, for the operator.
/// - `targets`: all current targets. A message that all of them have received is deleted, except an
///   end.
void record_delivery(Database& database, std::int64_t message, const std::string& target,
                     DeliveryState state, TimeMs due_at, const std::string& error,
                     const std::vector<std::string>& targets);

struct Backlog {
  std::int64_t waiting = 0;
  std::int64_t dead = 0;
  std::optional<TimeMs> oldest;  ///< when the oldest waiting message was written
};
/// Counts the kinds in `wanted`, one bit each; `after` as for next_message().
Backlog backlog(Database& database, const std::string& target, std::int64_t after, unsigned wanted);

struct Delivery {
  Message message;
  std::string target;
  DeliveryState state = DeliveryState::waiting;
};
/// Deliveries that were tried and did not succeed, oldest first.
std::vector<Delivery> undelivered(Database& database, bool dead_only);
/// Puts dead deliveries back to waiting, those of one message or all. Returns how many.
std::int64_t redrive(Database& database, const std::optional<std::string>& public_id);

}  // namespace verbatim::storage
