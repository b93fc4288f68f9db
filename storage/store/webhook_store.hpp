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
enum class WebhookKind : std::uint8_t {
  session_started = 0,
  session_ended = 1,
  transcript_updated = 2,  ///< a post has changed a final transcript
  turn_completed = 3,
};
std::string_view to_string(WebhookKind);

enum class DeliveryState : std::uint8_t { waiting = 0, delivered = 1, dead = 2 };
std::string_view to_string(DeliveryState);
std::optional<DeliveryState> delivery_state_from_string(std::string_view);

struct WebhookMessage {
  std::int64_t id = 0;
  std::string public_id;  ///< the webhook-id: the same for every try
  WebhookKind kind = WebhookKind::session_started;
  std::string session_id;
  std::int64_t lane = 0;  ///< the same for all messages of a session, and for no others
  int attempt = 0;
  std::string item_id;
  TimeMs created_at = 0;
  int tries = 0;
  int refusals = 0;   ///< tries that the target refused for good (4xx)
  TimeMs due_at = 0;  ///< when the next try is due; 0: now
  std::string last_error;
};

/// One target's progress with a message.
struct Delivery {
  WebhookMessage message;
  std::string target;
  DeliveryState state = DeliveryState::waiting;
};

struct Backlog {
  std::int64_t waiting = 0;
  std::int64_t dead = 0;
  std::optional<TimeMs> oldest;  ///< when the oldest waiting message was written
};

/// Asks for sessions whose first undelivered message was never tried.
struct NewQuery {
  std::int64_t after = 0;           ///< the last answer's `upto`; 0: from the beginning
  unsigned wanted = 0;              ///< the kinds that the target wants, one bit each
  std::vector<std::int64_t> lanes;  ///< lanes that are in use: their messages are passed by
  std::size_t limit = 0;            ///< of `heads`
};
struct NewMessages {
  std::vector<WebhookMessage> heads;   ///< at most one of a lane, oldest first
  std::vector<std::int64_t> unwanted;  ///< messages of other kinds, which have no delivery yet
  std::int64_t upto = 0;  ///< all messages up to this are in the answer, were tried, or follow one
  bool more = false;      ///< there may be further ones
};

/// Asks for tried messages that are due, at most one of a lane: the first that is not delivered.
struct DueQuery {
  TimeMs now = 0;
  /// A message that is due even later is due now: the clock was set back since.
  std::int64_t longest_wait_ms = 0;
  std::vector<std::int64_t> lanes;  ///< lanes that are in use: their messages are passed by
  std::size_t limit = 0;
};

/// The session and the attempt of a message, as they are now.
struct MessageSubject {
  SessionSummary session;
  transcript::TranscriptView attempt;
};

/// A try that has ended, and what follows from it.
struct TryOutcome {
  DeliveryState state = DeliveryState::waiting;
  TimeMs due_at = 0;     ///< when the next try is due
  std::string error;     ///< the reason of a failure, for the operator
  bool refused = false;  ///< the target refuses the message for good
  TimeMs at = 0;         ///< when the call began
  std::int64_t took_ms = 0;
  int status = 0;      ///< of the answer; 0: none
  std::string answer;  ///< the beginning of its body, UTF-8
};

/// From a target's configuration: how much of past deliveries is kept.
struct DeliveryRecords {
  std::vector<std::string> targets;  ///< all current targets
  std::size_t tries_max = 0;         ///< the latest tries of a delivery
  std::int64_t delivered_ms = 0;     ///< how long a message stays that all targets have received
  std::size_t delivered_max = 0;     ///< the newest of such messages
};

/// The messages for one target. Messages of one session are a lane: a message follows when the one
/// before it was delivered or given up. One caller at a time for reads, which give their results
/// before they return; changes may overlap.
class WebhookOutbox {
 public:
  virtual ~WebhookOutbox() = default;

  /// False while the store can be neither read nor written, as after a start on a full disk.
  virtual bool ready() = 0;
  virtual void find_new(const NewQuery& query, Done<NewMessages> done) = 0;
  virtual void find_due(const DueQuery& query, Done<std::vector<WebhookMessage>> done) = 0;
  /// The next message of the lane after `done_with`, due or not; nullopt: there is none.
  virtual void find_following(const WebhookMessage& done_with, unsigned wanted,
                              Done<std::optional<WebhookMessage>> done) = 0;
  /// Counts the kinds in `wanted`, one bit each. `after`: no earlier message waits untried.
  virtual void count(std::int64_t after, unsigned wanted, Done<Backlog> done) = 0;
  /// nullopt if the session was erased meanwhile.
  virtual void read_subject(const WebhookMessage& message,
                            Done<std::optional<MessageSubject>> done) = 0;

  /// Call it before the body is made: later changes of the transcript get a message of their own. A
  /// try that has no recorded outcome, after a crash, is repeated.
  virtual void begin_try(std::int64_t message, Done<> done) = 0;
  /// A message that all targets have received is deleted after a while, except an end.
  virtual void end_try(std::int64_t message, TryOutcome outcome, Done<> done) = 0;
  /// The message is due at that time. It counts as untried.
  virtual void put_off(std::int64_t message, TimeMs due_at, Done<> done) = 0;
  /// Messages that were put off and not tried are due `settle_ms` after they were written. For the
  /// start: the setting may have changed.
  virtual void settle_anew(std::int64_t settle_ms, Done<> done) = 0;
  /// The target does not want these messages. Also deletes some expired records.
  virtual void pass_over(std::vector<std::int64_t> messages, TimeMs now, Done<> done) = 0;
  /// Looks at some pending messages after `after`: those that all targets have received are done.
  /// For the start: a target may have been removed. The last one that was looked at; nullopt: there
  /// is none.
  virtual void finish_received(std::int64_t after, TimeMs now,
                               Done<std::optional<std::int64_t>> done) = 0;
};

class WebhookStore {
 public:
  virtual ~WebhookStore() = default;

  /// Sets the kinds of messages that are written from now on, one bit each. The store keeps the
  /// setting, so that recovery also writes them. Zero without webhooks, so that no messages pile
  /// up.
  virtual void want_messages(unsigned kinds, Done<> done) = 0;
  /// `target`: the target's name. The store must outlive the result.
  virtual std::unique_ptr<WebhookOutbox> open_outbox(std::string target,
                                                     DeliveryRecords records) = 0;
};

}  // namespace verbatim::store
