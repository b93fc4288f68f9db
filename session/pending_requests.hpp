// Client requests that the provider has not answered yet. They are sent again if the upstream
// connection is lost. Audio is not among them: it is not known how much of it the provider
// received.
//
// Pure; part of a RealtimeSession, on its thread.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/outbox.hpp"
#include "session/protocol/provider_dialect.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::session {

class Unanswered {
 public:
  /// A client message was queued. Only requests that have an answer are kept.
  /// `event`: its event, for a request that creates an item.
  void asked(protocol::ClientRequest request, const protocol::MessagePtr& message,
             transcript::Sequence needs,
             const std::optional<transcript::Event>& event = std::nullopt);
  /// The message has been written to the provider.
  void sent(const protocol::MessagePtr& message);
  /// Matches a provider event with the request that it answers, and removes that request. Returns
  /// the id of the item behind which the client placed it, if the provider lacks that item; else
  /// empty.
  /// - `error`: if the event is an error, its meaning.
  std::string answered_by(const transcript::Event& event,
                          protocol::ErrorMeaning error = protocol::ErrorMeaning::other);
  /// The provider has refused the oldest update of settings without naming it.
  void settings_refused();
  /// The relay has answered the request itself.
  void withdrawn(const protocol::MessagePtr& message);
  /// `by` is sent in place of `message`, because the provider lacks item `behind`.
  void replaced(const protocol::MessagePtr& message, protocol::MessagePtr by, std::string behind);

  struct Request {
    enum class Kind { item, response, settings };
    Kind kind;
    protocol::MessagePtr message;
    transcript::Sequence needs;
    // For an item: the item to create. The id is set if the client chose one.
    std::string item_id = {};
    transcript::ItemKind item_kind = transcript::ItemKind::message;
    transcript::Role role = transcript::Role::unknown;
    std::size_t words = 0;  ///< a hash of its texts
    std::string event_id = {};
    bool sent = false;
    std::string behind = {};  ///< the item that the client named, if the provider lacks it
  };
  /// Removes and returns the requests that had been sent, oldest first, to be sent again.
  std::vector<Request> take_sent();
  bool empty() const { return requests_.empty(); }
  std::size_t bytes() const { return bytes_; }
  bool has_response() const;
  /// The request for an item with this id; null if there is none.
  protocol::MessagePtr item_message(std::string_view item_id) const;

 private:
  /// Above either limit the oldest request is dropped and will not be sent again. A single request
  /// may be larger.
  static constexpr std::size_t count_max = 256;
  static constexpr std::size_t bytes_max = 4 * 1024 * 1024;

  template <class Matches>
  std::string drop_first(Matches matches);
  void forget_first();
  static void note(const transcript::Item& item, Request& request);

  std::deque<Request> requests_;
  std::size_t bytes_ = 0;
};

}  // namespace verbatim::session
