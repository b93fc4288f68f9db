// The stream that a store sends to a database elsewhere (a fleet's): its journal and its changed
// rows, in the order of their sequence numbers.
//
// A store that tracks changes has one numbered stream: events, and changes of other rows. One
// watermark, the last number that the database has, determines everything that is missing there. A
// row's number is that of its last change. A shipment is a piece of the stream: its events, and its
// rows with their present values. So a row that changed again has moved to a later shipment. Sent
// again, a shipment must change nothing in the database, and nothing older may replace anything
// newer.
//
// Numbers of statuses, kinds and roles are those of storage/FORMAT.md. Strings are bytes: texts
// may hold halves of surrogate pairs (WTF-8) or NUL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/journal.hpp"
#include "storage/store/call.hpp"

namespace verbatim::store {

/// The name of this store's stream, kept in the store.
struct StreamIdentity {
  /// A UUID, made once. A backup has the same.
  std::string node_id;
  /// A UUID of this start of the process, kept with its first number. The database keeps the run
  /// that it got its watermark from: see Shipping::continues().
  std::string run;
};

/// An attempt, as other nodes name it.
struct AttemptName {
  std::string session_id;
  int number = 0;  ///< counts from 1 in the session
  friend bool operator==(const AttemptName&, const AttemptName&) = default;
};

struct ShippedEvent {
  transcript::Sequence seq = 0;
  std::size_t attempt = 0;  ///< its place in Shipment::attempt_names
  TimeMs at = 0;
  std::string body;  ///< FORMAT.md, The body of a journal row
};

struct ShippedSession {
  std::string id;
  std::string user;
  std::string metadata_json;
  std::string private_json;
  TimeMs created_at = 0;
  std::optional<std::string> idempotency;  ///< digests
  std::optional<std::string> request;
  std::vector<std::string> tokens;  ///< ids of the open client tokens that were used for it
};

/// An attempt without its turns.
struct ShippedAttempt {
  AttemptName name;
  int status = 0;
  TimeMs started_at = 0;
  std::optional<TimeMs> ended_at;  ///< none: it has not ended
  std::optional<int> close_reason;
  std::string model;
  bool complete = false;
  std::string gaps_json;
  std::string usage_json;
  std::optional<TimeMs> suspended_at;
  std::optional<std::string> settings_json;
  std::int64_t copies = 0;  ///< totals of its posted copies
  std::int64_t copy_turns = 0;
  std::int64_t copy_bytes = 0;
  std::optional<std::int64_t> merged_turns;  ///< none: not merged yet
  std::optional<bool> merged_complete;
};

struct ShippedTurn {
  std::string item_id;
  int ordinal = 0;  ///< 0 or less: not known yet
  int role = 0;
  int status = 0;
  std::string text;
  std::optional<std::int64_t> heard_ms;
  std::optional<std::string> heard_text;
  std::string reason;
  bool deleted = false;
  std::string response_id;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;
  std::int64_t audio_ms = 0;
};

struct ShippedToolCall {
  int number = 0;  ///< counts from 1 in the attempt
  int after = 0;
  std::string item_id;
  std::string call_id;
  int kind = 0;
  int status = 0;
  std::string name;
  std::string server;
  std::string arguments;
  std::optional<std::string> output;
  std::string error;
  std::optional<std::string> approval_json;
  bool deleted = false;
  std::string response_id;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;
};

/// One turn of an attempt that has not ended.
struct ShippedSettledTurn {
  AttemptName attempt;
  ShippedTurn turn;
};

/// All turns and tool calls of an attempt that has ended, in their order. It replaces what the
/// database has of them, and the attempt's events are no longer needed there. The attempt itself is
/// in the same shipment.
struct ShippedRecord {
  AttemptName attempt;
  std::vector<ShippedTurn> turns;
  std::vector<ShippedToolCall> tool_calls;
};

struct ShippedCopy {
  AttemptName attempt;
  std::int64_t id = 0;  ///< unique in this store, never used again; copies are merged in any order
  std::string writer;
  TimeMs posted_at = 0;
  std::string body;  ///< a JSON list of turns
};

struct ShippedDelivery {
  std::string target;
  int state = 0;
  int tries = 0;
  int refusals = 0;
  TimeMs due_at = 0;
  std::string last_error;
};

/// A webhook message and its deliveries, which replace those that the database has.
struct ShippedMessage {
  std::string id;     ///< the webhook-id
  bool gone = false;  ///< it was deleted; then nothing else is set
  int kind = 0;
  AttemptName attempt;
  std::string item_id;
  TimeMs created_at = 0;
  std::optional<TimeMs> done_at;
  std::vector<ShippedDelivery> deliveries;
};

struct ShippedToken {
  std::string id;
  bool gone = false;  ///< it was deleted; then nothing else is set
  std::string user;
  std::string session_id;
  bool session_open = false;
  std::string session_config;  ///< JSON, or sealed
  std::string terms_json;
  std::string private_json;
  TimeMs created_at = 0;
  TimeMs expires_at = 0;
  std::optional<TimeMs> revoked_at;
  std::string made_by;
};

/// Apply the lists in the order in which they stand here.
struct Shipment {
  transcript::Sequence after = 0;  ///< as it was asked for
  /// The database has everything up to this number once it has this and all earlier shipments.
  transcript::Sequence upto = 0;
  bool more = false;  ///< a limit was reached: there is more to read at once

  /// Sessions that were erased here, by their ids. One of them may have been made again since: it
  /// is then in `sessions` too.
  std::vector<std::string> erased;
  std::vector<ShippedSession> sessions;
  std::vector<ShippedAttempt> attempts;
  std::vector<ShippedToken> tokens;
  std::vector<AttemptName> attempt_names;  ///< of the events
  std::vector<ShippedEvent> events;        ///< in their order
  std::vector<ShippedSettledTurn> turns;
  std::vector<ShippedCopy> copies;
  std::vector<ShippedMessage> messages;
  /// Last, because events of the attempt may be deleted with it.
  std::vector<ShippedRecord> records;
  std::size_t bytes = 0;  ///< of all strings, about

  /// Nothing to send: `upto` counts as sent as soon as all before it is there. Do not call
  /// note_shipped() for such a shipment, because the call itself moves the stream.
  bool empty() const {
    return erased.empty() && sessions.empty() && attempts.empty() && tokens.empty() &&
           events.empty() && turns.empty() && copies.empty() && messages.empty() && records.empty();
  }
};

struct ShipmentLimits {
  std::size_t events_max = 2000;
  /// Of events; other rows may take as much again. The rows of one change stay together, so the end
  /// of a long attempt may exceed the limit.
  std::size_t bytes_max = 1024 * 1024;
};

/// The part of the stream that the database does not have yet.
struct ShippingBacklog {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;           ///< of the events' bodies
  std::uint64_t rows = 0;            ///< changed rows
  bool exact = true;                 ///< false: extrapolated, because there are very many
  std::optional<TimeMs> oldest_at;   ///< time of the oldest event that is missing there
  transcript::Sequence highest = 0;  ///< the last number of the stream
};

/// The stream for one shipper. Reads by a connection of its own on the caller's thread, each in one
/// short snapshot; writes through the journal.
///
/// Used by one thread, except changes_fd().
class Shipping {
 public:
  virtual ~Shipping() = default;

  virtual StoreResult<StreamIdentity> identity() = 0;
  /// The watermark as this store knows it, which may be lower than the database's.
  virtual StoreResult<transcript::Sequence> shipped() = 0;
  /// Whether this stream is the one that the database has up to `upto`, which run `run` has sent.
  /// False for a restored backup if numbers behind it have been sent: then renew the identity.
  virtual StoreResult<bool> continues(const std::string& run, transcript::Sequence upto) = 0;
  /// Gives the store a new node_id, for good. The new stream begins behind the local watermark.
  virtual void renew_identity(Done<StreamIdentity> done) = 0;

  /// `after`: what was read last, or the watermark that was read back from the database.
  /// `catch_up`: leave out the events of attempts that have ended; their records come in turn.
  virtual StoreResult<Shipment> read_shipment(transcript::Sequence after,
                                              const ShipmentLimits& limits, bool catch_up) = 0;

  /// The database has everything up to here. Rows and events that were sent are kept for
  /// fleet.keep_shipped longer. A lower number than before changes nothing. Each call is a commit
  /// of its own on an idle store: once a second is enough.
  virtual void note_shipped(transcript::Sequence upto, Done<> done) = 0;
  /// Call it after each connect, with the watermark that the database has: it may be lower than
  /// what was acknowledged, after a failover. True: it is so much lower that rows were forgotten,
  /// or it is 0; then everything that is stored is made to be sent again, step by step.
  virtual void resume_from(transcript::Sequence upto, Done<bool> done) = 0;

  virtual StoreResult<ShippingBacklog> backlog() = 0;

  /// Readable once something has become durable since the last arm(). For poll(); owned by this
  /// object.
  virtual int changes_fd() const = 0;
  /// Makes changes_fd() unreadable until the next commit. Read after it, not before: what was
  /// committed earlier does not make it readable.
  virtual void arm() = 0;
};

class ShippingStore {
 public:
  virtual ~ShippingStore() = default;

  /// Null if the store does not track changes. The store must outlive it.
  virtual std::unique_ptr<Shipping> open_shipping() = 0;
};

}  // namespace verbatim::store
