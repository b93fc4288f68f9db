// The provider's side of a session: the connection that carries the conversation, the one that is
// prepared to replace it, and the messages for the provider. Decides when to dial. A connection is
// replaced before the provider's session limit, or after a loss.
//
// Pure; part of a RealtimeSession, on its thread. It collects what it changed: take_changes().
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "session/changes.hpp"
#include "session/link_end.hpp"
#include "session/outbox.hpp"
#include "session/transcript/close_reason.hpp"
#include "session/upstream_connection.hpp"

namespace verbatim::session {

struct UpstreamLimits {
  std::int64_t created_timeout_ms = 0;
  std::size_t queue_bytes_max = 0;
  std::size_t item_bytes_max = 0;
  BackoffOptions reconnect;
  std::int64_t rotate_after_ms = 0;
};

/// The time during which no connection carries the conversation.
struct Outage {
  transcript::CloseReason
      reason;  ///< cause of the outage; ends the session if no connection follows
  std::string why;
  std::int64_t retry_at_ms;
};

/// How an upstream connection ended, for logs and the client: codes and the relay's own words only.
/// The provider's close reason is left out; it may repeat speech or contain a key.
std::string in_our_words(const LinkEnd& end, const std::string& last_error);

class UpstreamLink {
 public:
  /// `provider`: its protocol.
  UpstreamLink(const protocol::ProviderDialect& provider, const UpstreamLimits& limits)
      : provider_(&provider), limits_(limits), backoff_(limits.reconnect) {}

  Changes take_changes();

  // --- The connections ---
  /// Carries the conversation; nullopt during an outage.
  const std::optional<UpstreamConnection>& current() const { return current_; }
  /// Is being dialled or prepared.
  std::optional<UpstreamConnection>& next() { return next_; }
  bool is_current(UpstreamId id) const { return current_ && current_->id() == id; }
  bool is_next(UpstreamId id) const { return next_ && next_->id() == id; }
  /// The conversation has had more than one connection.
  bool was_replaced() const { return dialled_ > 1; }
  const std::optional<Outage>& outage() const { return outage_; }

  /// The connection to dial now. `silent`: the conversation may change its connection.
  /// `takes_items`: a later connection is given the conversation's items.
  std::optional<UpstreamId> take_dial(Moment now, bool silent, bool takes_items);
  bool wants_dial(Moment now, bool silent) const;
  void opened(UpstreamId id, Moment now);
  /// The next connection has accepted something: it gets time for the rest.
  void prepared(Moment now);
  /// The conversation goes on on the next connection. Returns true after an outage. Precondition:
  /// there is a next connection.
  bool carry_over(Moment now);
  /// The conversation's connection is gone.
  void drop_current() { drop(current_); }
  /// After drop_current(): whether another connection is to be tried.
  bool may_reconnect(Moment now);
  void begin_outage(transcript::CloseReason reason, const std::string& why, Moment now);
  /// The next connection cannot be used. False: that was the last attempt of an outage.
  bool next_failed(Moment now);
  /// Dials again as if it were the first time. Messages for the provider are dropped.
  void start_over();
  /// Continues a session of another process, which had a connection.
  void take_up(Outage outage);
  /// The connection must be replaced before the provider ends it.
  void plan_rotation(std::int64_t expires_at_s, Moment now);

  // --- The provider's messages ---
  /// The current connection has sent a message.
  void said() {
    provider_error_ = false;
    created_ =
        true;  // usually by showing its session; some kinds of connection (sideband) never show it
  }
  void said_error(const transcript::ProviderError& error);
  bool created() const { return created_; }
  /// Why the current connection has ended, for the close reason and in the relay's own words.
  std::pair<transcript::CloseReason, std::string> loss(const LinkEnd& end) const;

  // --- Messages for the provider ---
  void push(protocol::MessagePtr message, transcript::Sequence needs);
  void push(protocol::Message&& message) {
    push(std::make_shared<const protocol::Message>(std::move(message)), 0);
  }
  void push_first(protocol::MessagePtr message, transcript::Sequence needs = 0);
  std::vector<Outbox::Waiting> withdraw();
  void clear();
  void drop_unsaved(transcript::Sequence durable);
  /// Null: the connection carries nothing any more.
  const Outbox* outbox_of(UpstreamId id) const;
  struct Taken {
    protocol::MessagePtr message;
    bool of_conversation;  ///< false: it belongs to the connection's preparation
  };
  /// `durable`: of the journal. Precondition: the head is ready.
  /// `transcript`, `needs`: for the items that a connection is still to be given.
  Taken take(UpstreamId id, transcript::Sequence durable, const transcript::Transcript& transcript,
             transcript::Sequence needs);
  /// The next connection may have been given more items.
  void gave_next() { note(Change::upstream_writable | Change::awaits_journal); }
  bool queue_full() const { return outbox_.bytes() >= limits_.queue_bytes_max; }
  bool waits_for(transcript::Sequence durable) const;
  void journal_moved(transcript::Sequence durable);

  // --- Time ---
  enum class Late { nothing, created, preparation };
  /// Which answer of the provider is overdue. `silent`: as in take_dial().
  Late time_passed(Moment now, bool silent);
  std::int64_t next_deadline_ms() const;

 private:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  void note(Changes more) { changes_ |= more; }
  void drop(std::optional<UpstreamConnection>& connection);
  bool rotation_due(Moment now) const;
  void rotate_at(std::int64_t at_ms);
  std::int64_t prepare_deadline_ms() const;
  Outbox* find_outbox(UpstreamId id);

  const protocol::ProviderDialect* provider_;
  UpstreamLimits limits_;
  Outbox outbox_;
  std::optional<UpstreamConnection> current_;
  std::optional<UpstreamConnection> next_;
  bool dial_wanted_ = true;
  UpstreamId dialled_ = 0;  ///< the latest connection's number
  std::optional<Outage> outage_;
  Backoff backoff_;
  std::int64_t carried_since_ms_ = 0;
  std::int64_t created_deadline_ms_ = 0;
  std::int64_t prepare_deadline_ms_ = 0;
  std::int64_t rotate_at_ms_ = 0;  ///< 0: not planned
  bool rotation_waits_ = false;    ///< due, but speech is open: no deadline can be given
  bool created_ = false;           ///< the provider has sent a message
  bool expired_ = false;           ///< the provider reported that its session limit is reached
  bool provider_error_ = false;    ///< the provider's latest message was an error
  std::string last_error_;
  Changes changes_;
};

}  // namespace verbatim::session
