// What is to be told to webhooks. A message is a row that is written in the transaction which makes
// it true, so neither can be without the other; a delivery is how far one target is with it.
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

/// Numbers are stored; never renumber.
enum class MessageKind : std::uint8_t {
  session_started = 0,
  session_ended = 1,
  transcript_updated = 2,  ///< a post has changed a final transcript
  turn_completed = 3,
};
std::string_view to_string(MessageKind);
std::optional<MessageKind> message_kind_from_string(std::string_view);

/// Which kinds are written from now on, one bit each. Kept in the file, so that whoever recovers it
/// writes them too; none where nobody listens, so that nothing piles up.
void want_messages(Database& database, unsigned kinds);

/// Writes the message if its kind is wanted. A session's end is announced once; a changed
/// transcript not while its end has not been tried on anybody yet.
void announce(Database& database, MessageKind kind, session::AttemptId attempt, TimeMs now,
              const std::string& item_id = {});

enum class DeliveryState : std::uint8_t { waiting = 0, delivered = 1, dead = 2 };
std::string_view to_string(DeliveryState);

struct Message {
  std::int64_t id = 0;
  std::string public_id;  ///< the webhook-id: the same at every try
  MessageKind kind = MessageKind::session_started;
  std::string session_id;
  int attempt = 0;
  std::string item_id;
  TimeMs created_at = 0;
  int tries = 0;
  TimeMs due_at = 0;  ///< 0: not tried yet
  std::string last_error;
};

/// The highest number of a message; there may be none up to it any more.
std::int64_t newest_message(Database& database);
/// The first that the target has neither got nor been given up for. Up to `after` all are known to
/// have been tried on it.
std::optional<Message> next_message(Database& database, const std::string& target,
                                    std::int64_t after);

/// Before its body is made: what changes the transcript from then on is announced by itself.
/// Whoever finds a try without an outcome sends it again.
void begin_try(Database& database, std::int64_t message, const std::string& target);
/// A message that all of `targets` have is forgotten.
void record_delivery(Database& database, std::int64_t message, const std::string& target,
                     DeliveryState state, TimeMs due_at, const std::string& error,
                     const std::vector<std::string>& targets);

struct Backlog {
  std::int64_t waiting = 0;
  std::int64_t dead = 0;
  std::optional<TimeMs> oldest;  ///< when the oldest that waits came about
};
/// Of the kinds that the target wants, one bit each; `after` as for next_message.
Backlog backlog(Database& database, const std::string& target, std::int64_t after, unsigned wanted);

struct Delivery {
  Message message;
  std::string target;
  DeliveryState state = DeliveryState::waiting;
};
/// Those that are tried and not delivered, oldest first.
std::vector<Delivery> undelivered(Database& database, bool dead_only);
/// Dead letters are tried again: that of one message, or all. How many.
std::int64_t redrive(Database& database, const std::optional<std::string>& public_id);

}  // namespace verbatim::storage
