// Client requests about items that the present upstream connection lacks, or already has: after a
// change of connection, or after the client's return. The provider would refuse them, although the
// conversation allows them.
//
// Pure: it decides, and RealtimeSession records and sends. It refers to parts of the session, so it
// is made for one request.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "session/pending_requests.hpp"
#include "session/protocol/provider_dialect.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/transcript.hpp"
#include "session/upstream_link.hpp"

namespace verbatim::session {

class ItemRequests {
 public:
  /// How the session shows its items.
  struct Shown {
    bool speaks = false;         ///< the model answers in speech
    bool transcription = false;  ///< the client sees what it said
  };
  /// `provider`: its protocol.
  /// `unanswered`: the client's requests that have no answer yet.
  ItemRequests(const protocol::ProviderDialect& provider, const transcript::Transcript& transcript,
               const UpstreamLink& upstream, const Unanswered& unanswered, Shown shown)
      : provider_(provider),
        transcript_(transcript),
        upstream_(upstream),
        unanswered_(unanswered),
        shown_(shown) {}

  using NewEventId = std::function<std::string()>;
  /// The relay's answer to a request. The client gets the messages when the event is durable.
  struct Answer {
    std::optional<transcript::Event> event;  ///< to record first; nullopt: nothing changes
    /// Makes the messages for the client, oldest first.
    std::function<std::vector<std::string>(const NewEventId&)> messages;
  };
  /// nullopt: the provider is to answer.
  std::optional<Answer> answer(protocol::ClientRequest request,
                               const protocol::Message& message) const;

  /// A request that creates an item behind one that the provider could not be given.
  struct Moved {
    protocol::MessagePtr message;  ///< places it behind the nearest earlier item that it has
    std::string previous;          ///< the item that the client named
  };
  /// nullopt: the message can be sent as it is.
  std::optional<Moved> moved(const protocol::Message& message) const;

 private:
  bool provider_has(const std::string& item_id) const;
  bool provider_lacks(const std::string& item_id) const;
  std::string nearest_before(const std::string& item_id) const;

  std::optional<Answer> truncated(const protocol::Message& message) const;
  std::optional<Answer> there_already(const protocol::Message& message) const;
  std::optional<Answer> retrieved(const protocol::Message& message) const;
  std::optional<Answer> deleted(const protocol::Message& message) const;

  const protocol::ProviderDialect& provider_;
  const transcript::Transcript& transcript_;
  const UpstreamLink& upstream_;
  const Unanswered& unanswered_;
  Shown shown_;
};

}  // namespace verbatim::session
