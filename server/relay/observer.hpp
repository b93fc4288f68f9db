// Watches one conversation's life: its events, its connections, its waits for the journal and its
// end. server/traces makes spans of it.
//
// An observer lives on its conversation's thread, from the start of the attempt to its end. It must
// not block or throw.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "server/relay/access/upgrade_request.hpp"
#include "session/observer.hpp"
#include "session/realtime_session.hpp"
#include "storage/store/attempt.hpp"

namespace verbatim::relay {

/// One attempt to connect to the provider.
struct DialReport {
  enum class Outcome : std::uint8_t { opened, refused, unreachable };
  session::UpstreamId upstream = 0;
  Moment began;
  Outcome outcome = Outcome::opened;
  int status = 0;         ///< the provider's HTTP status if it refused; else 0
  std::string_view code;  ///< the provider's error code if it is a plain word
};

class ConversationObserver : public session::Observer {
 public:
  /// For the conversation's log lines: 32 hexadecimal digits.
  virtual std::string trace_id() const = 0;
  virtual void dialled(const DialReport& report, Moment now) = 0;
  /// The client is gone and may return.
  virtual void client_lost(Moment now) = 0;
  /// `whole`: it got all messages that it had missed; otherwise it got a snapshot.
  virtual void client_returned(bool whole, Moment now) = 0;
  /// Messages waited for the disk from `since_us` to `now_us` (monotonic microseconds).
  virtual void journal_waited(std::int64_t since_us, std::int64_t now_us, Moment now) = 0;
  /// The session has ended or was suspended; its final record may not be durable yet.
  virtual void ended(Moment now) = 0;
  /// The final record is durable or never will be. The last call.
  virtual void settled(const session::RealtimeSession& session, Moment now) = 0;
};

/// The conversation that an observer is for. Views are valid during the call.
struct ObservedConversation {
  std::string_view session_id;
  int attempt_number = 1;
  TimeMs attempt_started_at = 0;  ///< stored with the attempt, so the same in a later process
  Moment requested_at;            ///< when the upgrade request came
  std::string_view model;         ///< requested by the client, or the configured one
  std::string_view traceparent;   ///< header of the upgrade request; may be empty or malformed
  std::string_view metadata_json;
  bool taken_up = false;  ///< continues the attempt of another process
};

/// Gives each conversation its observer. Any thread.
class ObserverSource {
 public:
  virtual ~ObserverSource() = default;
  /// Null: it does not watch this conversation.
  virtual std::shared_ptr<ConversationObserver> observe(
      const ObservedConversation& conversation) = 0;
};

/// The observer of a conversation that begins. `source`: null: nothing is watched.
/// `opened`, `taken_up`: its attempt, and whether another process began it.
/// `configured_model`: used if the client names none.
std::shared_ptr<ConversationObserver> observe(ObserverSource* source,
                                              const access::RealtimeCall& call,
                                              const store::OpenedAttempt& opened, bool taken_up,
                                              std::string_view configured_model);

}  // namespace verbatim::relay
