// What a client has asked the provider for and has had no answer to: asked again if the connection
// is lost in between. Audio is not among it: it can not be told what of it was heard.
//
// Pure; part of a RealtimeSession, on its thread.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "session/outbox.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::session {

class Unanswered {
 public:
  /// A request of this type has been queued; others are not remembered.
  void asked(std::string_view type, const MessagePtr& message, Sequence needs);
  /// It has left for the provider.
  void sent(const MessagePtr& message);
  /// Something came from the provider that may answer one. If that one was to be placed behind an
  /// item that the provider does not have: that item's id.
  std::string answered_by(const Event& event);
  /// The provider has refused the oldest session.update, without naming it.
  void settings_refused();
  /// It has been answered without the provider.
  void withdrawn(const MessagePtr& message);
  /// Another message goes in its place, since the provider does not have item `behind`.
  void replaced(const MessagePtr& message, MessagePtr by, std::string behind);

  struct Request {
    enum class Kind { item, response, settings };
    Kind kind;
    MessagePtr message;
    Sequence needs;
    // Of an item: what is to be made, with an id if the client chose one.
    std::string item_id = {};
    ItemKind item_kind = ItemKind::message;
    Role role = Role::unknown;
    std::size_t words = 0;  ///< a hash of its texts
    std::string event_id = {};
    bool sent = false;
    std::string behind = {};  ///< where the client wanted it, if the provider does not have that
  };
  /// Those that had left, oldest first: to be sent once more.
  std::vector<Request> take_sent();
  bool empty() const { return requests_.empty(); }
  std::size_t bytes() const { return bytes_; }
  bool has_response() const;
  /// The request for an item with this id; null if there is none.
  MessagePtr item_message(std::string_view item_id) const;

 private:
  /// Beyond either the oldest is forgotten: it will not be asked again. One alone may be larger.
  static constexpr std::size_t count_max = 256;
  static constexpr std::size_t bytes_max = 4 * 1024 * 1024;

  template <class Matches>
  std::string drop_first(Matches matches);
  void forget_first();
  static void note(const Item& item, Request& request);

  std::deque<Request> requests_;
  std::size_t bytes_ = 0;
};

}  // namespace verbatim::session
