// The messages for webhooks. A message is written in the same transaction as the change that it
// reports, so neither exists without the other. A delivery records one target's progress with a
// message.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store/call.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::store {

/// The numbers are stored: do not change them.
enum class MessageKind : std::uint8_t {
  session_started = 0,
  session_ended = 1,
  transcript_updated = 2,  ///< a post has changed a final transcript
  turn_completed = 3,
};
std::string_view to_string(MessageKind);

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

/// One target's progress with a message.
struct Delivery {
  Message message;
  std::string target;
  DeliveryState state = DeliveryState::waiting;
};

struct Backlog {
  std::int64_t waiting = 0;
  std::int64_t dead = 0;
  std::optional<TimeMs> oldest;  ///< when the oldest waiting message was written
};

struct NextMessage {
  /// The first message that the target has neither received nor been given up for; nullopt: none.
  std::optional<Message> message;
  /// The highest number ever given to a message that still exists; lower ones may be deleted.
  std::int64_t newest = 0;
};

/// The session and the attempt of a message, as they are now.
struct MessageSubject {
  SessionSummary session;
  transcript::TranscriptView attempt;
};

/// The outcome of a try.
struct TryOutcome {
  DeliveryState state = DeliveryState::waiting;
  TimeMs due_at = 0;  ///< when the next try is due
  std::string error;  ///< the reason of a failure, for the operator
};

/// The messages for one target. One caller at a time: it waits for each result before its next
/// call.
class Outbox {
 public:
  virtual ~Outbox() = default;

  /// False while the store can be neither read nor written, as after a start on a full disk.
  virtual bool ready() = 0;
  /// `after`: all messages up to this number are known to have been tried on the target.
  virtual void next(std::int64_t after, Done<NextMessage> done) = 0;
  /// Counts the kinds in `wanted`, one bit each; `after` as for next().
  virtual void count(std::int64_t after, unsigned wanted, Done<Backlog> done) = 0;
  /// nullopt if the session was erased meanwhile.
  virtual void read_subject(const Message& message, Done<std::optional<MessageSubject>> done) = 0;

  /// Call it before the body is made: later changes of the transcript get a message of their own. A
  /// try that has no recorded outcome, after a crash, is repeated.
  virtual void begin_try(std::int64_t message, Done<> done) = 0;
  /// `targets`: all current targets. A message that all of them have received is deleted, except an
  /// end.
  virtual void end_try(std::int64_t message, TryOutcome outcome, std::vector<std::string> targets,
                       Done<> done) = 0;
};

class OutboxStore {
 public:
  virtual ~OutboxStore() = default;

  /// Sets the kinds of messages that are written from now on, one bit each. The store keeps the
  /// setting, so that recovery also writes them. Zero without webhooks, so that no messages pile
  /// up.
  virtual void want_messages(unsigned kinds, Done<> done) = 0;
  /// `target`: the target's name. The store must outlive the result.
  virtual std::unique_ptr<Outbox> open_outbox(std::string target) = 0;
};

}  // namespace verbatim::store
