// The inside of Transcript: the items, their order, and what each event does to them.
//
// One thread at a time; private to transcript.cpp and transcript_events.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "session/conversation_item.hpp"
#include "session/item_chain.hpp"
#include "session/recent_ids.hpp"
#include "session/transcript.hpp"

namespace verbatim::session {

struct Transcript::State {
  explicit State(TranscriptOptions options) : seen(options.remembered_event_ids) {}

  Applied apply(const Event& event, TimeMs now);
  void finish(TimeMs now);
  const ConversationItem* find(const std::string& id) const;

  /// Every item once: the chain, then what has no place yet, in the order of naming.
  template <class Visit>
  void walk(Visit visit) const {
    for (const ItemChain* list : {&chain, &loose})
      for (const ConversationItem* at = list->first(); at != nullptr; at = at->link.behind)
        visit(*at);
  }

  std::int64_t audio_sent_ms(const std::string& item_id, int content_index) const;

  /// A client's item that the provider has not placed yet.
  struct Pending {
    std::string client_event_id;
    std::string item_id;  ///< empty: the provider chooses
    ItemKind kind = ItemKind::message;
    Role role = Role::unknown;
  };

  std::vector<Pending> pending;
  std::vector<std::string> usage;
  std::vector<Response*> running;  ///< answers under way on this connection
  Usage used;
  bool finished = false;

 private:
  /// Audio sent for one part, in microseconds: whole at any rate of bytes.
  struct AudioSent {
    int content_index = 0;
    std::int64_t us = 0;
  };

  bool is_repeat(const Event& event);

  void on(const UpstreamOpened&);
  void on(const SessionConfigured&);
  void on(const ItemPlaced&);
  void on(const ItemSnapshot&);
  void on(const OutputItem&);
  void on(const TextDelta&);
  void on(const TextDone&);
  void on(const PartSnapshot&);
  void on(const TranscriptionFailed&);
  void on(const AudioDelta&);
  void on(const SpeechStarted&);
  void on(const SpeechStopped&);
  void on(const BufferCleared&);
  void on(const ResponseStarted&);
  void on(const ResponseEnded&);
  void on(const ItemTruncated&);
  void on(const ItemDeleted&);
  void on(const ProviderError&);
  void on(const ItemRequested&);
  void on(const CancelRequested&);
  void on(const UpstreamLost&);
  void on(const AudioMetered&);
  void on(const TranscriptionUsage&);

  ConversationItem& named(const std::string& id);   ///< made if unknown; watched
  ConversationItem* known(const std::string& id);   ///< nullptr if unknown; watched
  ConversationItem* speech(const std::string& id);  ///< a user's spoken item; nullptr if it is not
  ConversationItem* answer(const std::string& id, const std::string& response_id);
  void place(ConversationItem& item, Place where, const std::string& previous);
  void anchor(ConversationItem& item);
  void acknowledge(const Item& placed);
  Response& response(const std::string& id);
  void join(ConversationItem& item, const std::string& response_id);
  void talk_over(const std::string& response_id);
  void settle_all();
  void end_connection();

  /// Remembers how an item looked before this event, to tell afterwards what changed.
  void watch(ConversationItem& item);
  std::vector<std::string> touched();

  std::unordered_map<std::string, ConversationItem> items;  ///< nodes: their addresses stay
  ItemChain chain;
  ItemChain loose;

  std::deque<Response> responses;
  std::unordered_map<std::string, Response*> response_of_id;  ///< of this connection

  RecentIds seen;
  RecentIds seen_audio{256};  ///< apart: audio is not journaled, and must not push others out
  std::set<std::pair<std::string, int>> transcriptions_billed;  ///< by item and part
  std::string provider_session_id;
  int output_bytes_per_ms = 48;
  std::unordered_map<std::string, std::vector<AudioSent>> audio;

  TimeMs now = 0;
  std::vector<std::pair<ConversationItem*, ConversationItem::Face>> watched;
};

}  // namespace verbatim::session
