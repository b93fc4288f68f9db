// One upstream connection (to the provider), from the dial until it carries the conversation. The
// first one of a session carries it at once. A later one is first given the settings in force and
// then the items in order (P8), because the provider has no resume.
// Until it has accepted them, its messages go to the relay and not to the client.
//
// Pure; part of a RealtimeSession, on its thread. Functions that read the transcript may throw
// SpillError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "session/outbox.hpp"
#include "session/protocol/provider_dialect.hpp"
#include "session/protocol/session_settings.hpp"
#include "session/rebuild.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::session {

/// Numbers the upstream connections of one session, from 1.
using UpstreamId = int;

class UpstreamConnection {
 public:
  /// - `provider`: its protocol.
  /// - `rebuilds`: the connection must be given a conversation before it can carry one.
  /// - `item_bytes_max`: a larger item is left out.
  /// - `takes_items`: false for a transcription session, which is given only the settings.
  UpstreamConnection(const protocol::ProviderDialect& provider, UpstreamId id, bool rebuilds,
                     std::size_t item_bytes_max, bool takes_items = true)
      : provider_(&provider),
        id_(id),
        rebuilds_(rebuilds),
        takes_items_(takes_items),
        item_bytes_max_(item_bytes_max) {}

  UpstreamId id() const { return id_; }
  bool is_open() const { return open_; }
  void opened() { open_ = true; }

  /// Messages for this connection only; they go before the conversation's own messages.
  Outbox& outbox() { return outbox_; }
  const Outbox& outbox() const { return outbox_; }

  /// Takes an event while the connection is prepared. False: the connection cannot be used.
  ///
  /// - `needs`: the journal sequence that must be durable before items may leave.
  /// - `settled_only`: leave out items that are still being spoken, and those behind them.
  bool prepare(const transcript::Event& event, const transcript::Transcript& transcript,
               const protocol::SessionSettings& settings, transcript::Sequence needs,
               bool settled_only);
  /// The provider has accepted everything that it was given.
  bool is_ready() const;
  /// The provider has refused every item that it was given.
  bool refused_all() const;
  /// Gives the connection the items added since. True if there were any. `settled_only`: as in
  /// prepare().
  bool catch_up(const transcript::Transcript& transcript, transcript::Sequence needs,
                bool settled_only);
  /// Gives the next items once the outbox has room. Of a long conversation, or of large items, only
  /// a part is in memory at any time.
  void feed(const transcript::Transcript& transcript, transcript::Sequence needs);
  /// Bytes of items that were given and not answered yet.
  std::size_t unanswered_bytes() const { return unanswered_bytes_; }

  /// The event that showed its session. Journal it when this connection takes over the
  /// conversation.
  const std::optional<transcript::Event>& session_created() const { return session_created_; }
  /// The provider's answer to the settings that it was given; nullopt if there were none.
  const std::optional<transcript::Event>& configuration() const { return configuration_; }

  /// The event only repeats an item that the relay gave to this connection.
  bool is_echo(const transcript::Event& event) const;
  /// The provider was given this item and accepted it.
  bool has(const std::string& item_id) const { return taken_.contains(item_id); }
  /// Number of items given.
  std::size_t given() const { return given_.size(); }
  Rebuild rebuild() const;
  /// The provider's reason for refusing the settings or the connection.
  const std::string& rejection() const { return rejection_; }

 private:
  struct Awaited {
    std::string item_id;
    std::size_t bytes;
  };

  bool hear_error(const transcript::ProviderError& error);
  void take(const std::string& item_id);
  bool answered(const std::string& item_id);
  void give(const transcript::Transcript& transcript, const std::string& item_id,
            transcript::Sequence needs);

  const protocol::ProviderDialect* provider_;
  UpstreamId id_;
  bool rebuilds_;
  bool takes_items_;
  std::size_t item_bytes_max_;
  bool open_ = false;
  bool configured_ = false;
  Outbox outbox_;
  std::optional<transcript::Event> session_created_;
  std::optional<transcript::Event> configuration_;
  std::deque<std::string> to_give_;          ///< in the conversation's order
  std::unordered_set<std::string> planned_;  ///< were once in to_give_
  std::unordered_set<std::string> given_;
  std::unordered_set<std::string> taken_;
  std::deque<Awaited> awaited_;  ///< given, not yet placed or refused, in the order given
  std::size_t unanswered_bytes_ = 0;
  std::vector<Rebuild::Missing> left_out_;
  std::vector<Rebuild::Missing> refused_;
  std::string rejection_;
};

}  // namespace verbatim::session
