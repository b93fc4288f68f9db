// The inside of Transcript: the items, their order, and what each event does to them.
//
// With a spill, the chain has an older part, the slots. An item there is in memory or in the spill.
// Items move out in bundles: an answer with its items, or one item that belongs to no answer. An
// event that names one of them brings the bundle back; no other code needs to know.
//
// One thread at a time; private to transcript.cpp, transcript_events.cpp, transcript_owner.cpp,
// tool_owner.cpp and transcript_spill.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "session/transcript/conversation_item.hpp"
#include "session/transcript/item_chain.hpp"
#include "session/transcript/recent_ids.hpp"
#include "session/transcript/spill.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::transcript {

struct Transcript::State {
 private:
  /// Audio sent for one part, in microseconds: exact at any byte rate.
  struct AudioSent {
    int content_index = 0;
    std::int64_t us = 0;

    template <class Self>
    static auto members(Self& of) {
      return std::tie(of.content_index, of.us);
    }
  };

  /// Audio that came before any event named its item.
  struct StrayAudio {
    std::string item_id;
    std::string response_id;
    int output_index = no_output_index;
    AudioSent sent;
  };

  struct SpilledItem {
    ConversationItem item;
    std::vector<AudioSent> audio;

    template <class Self>
    static auto members(Self& of) {
      return std::tie(of.item, of.audio);
    }
  };

  struct Bundle {
    std::optional<Response> response;
    std::vector<SpilledItem> items;
  };

  /// Reads items by their slots; consecutive ones of a bundle with one read.
  class SpillReader {
   public:
    explicit SpillReader(const State& state) : state_(state) {}
    /// Valid until the next call.
    const ConversationItem& at(std::size_t slot);
    /// Precondition: the last at() returned that item from the spill.
    const std::vector<AudioSent>& audio_of(const std::string& item_id) const;

   private:
    const State& state_;
    std::optional<std::size_t> number_;  ///< number of bundle_
    Bundle bundle_;
  };

 public:
  explicit State(TranscriptOptions given) : options(given), seen(given.remembered_event_ids) {}

  Applied apply(const Event& event, TimeMs now);
  void finish(TimeMs now);
  void spill_to(std::unique_ptr<Spill> to, std::size_t items_in_memory);

  /// Visits every item once: the chain, then the items without a place, in the order of naming.
  /// Reads the spill.
  template <class Visit>
  void walk(Visit visit) const {
    SpillReader reader(*this);
    for (std::size_t slot = 0; slot < slots.size(); ++slot) visit(reader.at(slot));
    walk_linked(visit);
  }

  /// The result of `look` for the item, or for nullptr if there is none. Reads the spill.
  template <class Look>
  auto look_at(const std::string& id, Look look) const {
    if (const auto found = items.find(id); found != items.end()) return look(&found->second);
    SpillReader reader(*this);
    return look(spilled(id, reader));
  }

  bool awaiting_transcription() const;
  bool awaiting_answer() const;
  std::vector<std::string> all_usage() const;
  std::int64_t audio_sent_ms(const std::string& item_id, int content_index) const;
  std::vector<AnswerAudio> unrecorded_audio() const;
  /// The item with its detail. Reads the spill.
  Item whole(const ConversationItem& item) const;
  /// Calls `use` with the item and its detail.
  template <class Use>
  void with_detail(const ConversationItem& item, Use use) const {
    if (!item.detail_place) return use(item);
    ConversationItem whole = item;
    fetch_detail(whole);
    use(std::as_const(whole));
  }
  /// Brings the detail back into memory; the counterpart of stow().
  void fetch_detail(ConversationItem& item) const;
  bool has_detail(const Item& item) const;
  /// The turn's ordinal, from 1.
  int ordinal(const ConversationItem& item) const;

  /// A client's item that the provider has not acknowledged yet.
  struct Pending {
    ItemRequested asked;
    TimeMs at = 0;
    std::string behind;  ///< the last item at the time of the request; empty: none
    // A message's content besides its text: in `asked`, or in the spill.
    std::optional<Spill::Offset> detail_place = {};
    std::uint64_t detail_print = 0;
  };
  /// Provider messages whose text fits no turn, all behind one item.
  struct LostText {
    std::string behind;  ///< item id; empty: before all items
    int count = 0;
  };

  std::deque<Pending> pending;
  std::vector<LostText> lost_texts;
  std::vector<Response*> running;  ///< open answers on this connection
  Usage used;
  std::uint64_t tools_version = 0;  ///< increases with every change of a tool's item
  ResponseCounts response_counts;
  std::string provider_session_id;
  std::string language;  ///< that the session sets for transcriptions; empty: none
  bool finished = false;
  TimeMs now = 0;  ///< never runs backwards

 private:
  // A Slot and a Spilled are all that stays in memory of an item in the spill. A print is a hash of
  // an id: it says where to look, and the item found there confirms the id.
  struct Slot {
    std::uint32_t print = 0;  ///< of the item's id
    std::uint32_t bundle : 28 = 0;
    bool spilled : 1 = false;
    // Valid if it is spilled:
    bool is_turn : 1 = false;
    bool is_open : 1 = false;
    bool awaits_transcription : 1 = false;
  };
  static_assert(sizeof(Slot) == 8);

  struct Spilled {
    Spill::Offset place = 0;
    std::uint32_t response_print = 0;  ///< 0: no event can name it
    std::uint32_t connection = 0;      ///< the one present when it was moved out
  };

  template <class Visit>
  void walk_linked(Visit visit) const {
    for (const ItemChain* list : {&chain, &loose})
      for (const ConversationItem* at = list->first(); at != nullptr; at = at->link.behind)
        visit(*at);
  }

  bool is_repeat(const Event& event);
  static std::uint32_t content_print(const EventBody& body);

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
  void on(const ToolArguments&);
  void on(const ToolProgress&);
  void on(const AnswerAudio&);
  void on(const TextUnplaced&);
  void on(const FirstAudio&);
  void on(const SettingsChanged&);
  void on(const AudioPlaced&) {}

  ConversationItem* find(const std::string& id);            ///< nullptr if unknown
  ConversationItem& find_or_create(const std::string& id);  ///< created if unknown; tracked
  ConversationItem* find_tracked(const std::string& id);    ///< nullptr if unknown; tracked
  ConversationItem& user_item(const std::string& id);       ///< a user's spoken item

  // Finding the item of a text: transcript_owner.cpp.
  /// How an event names an item of the model; any member may be missing.
  struct Address {
    const std::string& item_id;
    const std::string& response_id;
    int output_index = no_output_index;
  };
  ConversationItem& assistant_item(const Address& address, int content_index, const Text* whole);
  ConversationItem* item_named(const Address& address, int content_index, const Text* whole);
  ConversationItem* item_in_response(const Address& address, int content_index, const Text* whole);
  ConversationItem& item_without_name(const Address& address);
  ConversationItem* output_item(const Address& address, const Item& reported, bool done);
  // The same for tool calls: tool_owner.cpp.
  struct CallSigns;
  ConversationItem* call_among(const std::vector<ConversationItem*>& calls,
                               const CallSigns& reported, bool mcp, int output_index, bool guess);
  std::vector<ConversationItem*> calls_of(const std::string& response_id);
  std::vector<ConversationItem*> last_items();
  ConversationItem* call_named(const std::string& id, const CallSigns& reported,
                               const std::string& response_id);
  ConversationItem& call_of(const Address& address, const CallSigns& reported, bool mcp);
  ConversationItem* output_call(const Address& address, const Item& reported);
  ConversationItem* reported_before(const Item& reported, bool placed);
  ConversationItem* output_under_other_id(const Item& reported);
  ConversationItem* call_going_on(int output_index);
  void count_audio(const std::string& item_id, const AudioSent& sent);
  void keep_stray_audio(const AudioDelta& event, std::int64_t us);
  void take_stray_audio(const ConversationItem& item);
  ConversationItem* of_response(const std::string& response_id, int output_index);
  template <class Matches>
  ConversationItem* unnamed_answer(const Address& address, Matches matches);
  ConversationItem* placed_and_empty();
  ConversationItem* unanswered_speech();
  ConversationItem* announced_under_other_id(const Item& placed);
  ConversationItem& own_item(Role role);
  static bool is_unnamed(const ConversationItem& item);
  ConversationItem& in_role(ConversationItem& item, Role role);
  void remember_alias(const std::string& id, const ConversationItem& item);
  void retire(ConversationItem& item);
  bool is_of_earlier_answer(const ConversationItem& item, const std::string& response_id);

  void place(ConversationItem& item, const ItemPlaced& reported, const ItemRequested* asked);
  void place_behind(ConversationItem& item, ConversationItem& before, bool asked_for);
  void place_in_front(ConversationItem& item);
  void place_behind_earlier_connections(ConversationItem& item);
  void insert_behind(ConversationItem& before, ConversationItem& item);
  void anchor(ConversationItem& item);
  void anchor_answer(ConversationItem& item);
  bool anchor_unplaced_speech(const ConversationItem& answer, const ConversationItem* before);
  std::deque<Pending>::const_iterator answered_by(const Item& placed) const;
  std::optional<Pending> acknowledge(const Item& placed);
  void keep_unacknowledged(Pending request);
  void bound_pending();
  static std::size_t size_of(const ItemRequested& asked);
  Response* find_response(const std::string& id);
  Response& response(const std::string& id);
  Response& begin_response(const std::string& id);
  void join(ConversationItem& item, const std::string& response_id);
  void talk_over(const std::string& response_id);
  void settle_all();
  void end_connection();

  /// Remembers an item's fingerprint before this event, to find what changed.
  void track(ConversationItem& item);
  std::vector<std::string> changed();

  // transcript_spill.cpp
  void spill();
  /// Moves a large detail out of memory at once.
  void stow(ItemKind kind, std::string& detail, std::optional<Spill::Offset>& place);
  void learn(ConversationItem& item, const Item& from);
  static void take_detail(ConversationItem& item, const Pending& request);
  /// False if the spill takes nothing.
  bool put_out(const std::vector<ConversationItem*>& together, Response* response);
  bool put_out_usage();
  bool is_full();
  bool may_go_out(const ConversationItem& item) const;
  void read(std::size_t bundle, Bundle& into) const;
  const ConversationItem* spilled(const std::string& id, SpillReader& reader) const;
  Response* find_spilled_response(const std::string& id);
  void bring_back(std::size_t bundle);
  void bring_back_all();

  /// a node container: addresses stay valid
  std::unordered_map<std::string, ConversationItem> items;
  ItemChain chain;
  ItemChain loose;

  std::list<Response> responses;
  std::unordered_map<std::string, Response*> response_of_id;  ///< of this connection
  std::vector<TimeMs> connection_ends;
  void note(const Incident& one);
  std::size_t incidents = 0;
  bool settings_seen = false;      ///< the first settings are not an incident
  std::vector<std::string> usage;  ///< of the latest answers; earlier ones are in spilled_usage

  std::unique_ptr<Spill> spill_;
  std::size_t items_in_memory = 0;           ///< limit on the chain; 0: no limit
  std::size_t weighed = 0;                   ///< number of items when their text was last measured
  int refusals = 0;                          ///< events until the spill is asked again
  Response* bare = nullptr;                  ///< ended by this event, without items
  std::deque<Slot> slots;                    ///< in the conversation's order, before the chain
  std::vector<ConversationItem*> lingering;  ///< items with a slot that are in memory
  std::deque<Spilled> bundles;
  std::vector<std::uint32_t> free_bundles;
  std::vector<Spill::Offset> spilled_usage;

  TranscriptOptions options;
  RecentIds seen;
  RecentIds seen_audio{256};   ///< separate: audio is not journaled and must not displace other ids
  bool ids_are_unique = true;  ///< false: the connection used one event id for different events
  std::size_t pending_bytes = 0;
  std::uint64_t own_items = 0;  ///< number of items made for text without an item id
  std::uint64_t retired = 0;    ///< number of items whose id was used again
  /// further ids of items, with the first id
  std::unordered_map<std::string, std::string> aliases;
  std::string scattered;  ///< the item to which the latest events under other ids belong
  RecentIds transcriptions_billed{1024};  ///< by item and part, for this connection
  int output_bytes_per_ms = 48;
  std::unordered_map<std::string, std::vector<AudioSent>> audio;
  std::vector<std::string> audio_unrecorded;  ///< item ids; few
  std::vector<StrayAudio> stray_audio;

  std::vector<std::pair<ConversationItem*, ConversationItem::Fingerprint>> tracked;
  std::vector<std::string> renamed;  ///< ids that this event has given to another item
};

}  // namespace verbatim::transcript
