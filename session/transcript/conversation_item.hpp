// One item of the conversation as the transcript engine knows it: its text by content part, and
// what decides its turn's status (rules 2, 7, 8 and 9). Knows nothing of its neighbours but the
// link that the chain keeps in it.
//
// One thread at a time; part of a Transcript, which is the only one to change it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "session/transcript/event.hpp"
#include "session/transcript/item_chain.hpp"
#include "session/transcript/tool_call.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::session {

/// One answer of the model, as far as its items' status needs it.
struct Response {
  std::string id;
  bool out_of_band = false;
  bool talked_over = false;  ///< a response.cancel or a speech_started came while it ran
  bool ended = false;
  ResponseStatus status = ResponseStatus::other;
  std::string reason;
  std::size_t connection = 0;  ///< on which it was begun, counted from 0
  std::vector<ConversationItem*> items;

  /// All but the items.
  template <class Self>
  static auto members(Self& of) {
    return std::tie(of.id, of.out_of_band, of.talked_over, of.ended, of.status, of.reason,
                    of.connection);
  }
};

/// Of a tool's item: what its events told beside the item itself.
struct ToolState {
  std::string call_id;
  std::string name;
  Text arguments;
  bool mcp = false;
  bool whole = false;  ///< the arguments have had their last word
  ToolStatus reported = ToolStatus::in_progress;
  std::optional<TimeMs> over_at;

  template <class Self>
  static auto members(Self& of) {
    return std::tie(of.call_id, of.name, of.arguments, of.mcp, of.whole, of.reported, of.over_at);
  }
};

/// Of an item's JSON, to know it again. Never 0 but for none.
std::uint64_t print_of_detail(std::string_view detail);

struct ConversationItem {
  // ---- what happened to it
  /// `parts` hold the text so far, sorted by content_index. `detail` is empty where it is large:
  /// then detail_place says where it is.
  Item item;
  std::optional<std::uint64_t> detail_place;  ///< of the detail in the spill, if it is there
  std::uint64_t detail_print = 0;             ///< a hash of the detail; 0: it has none
  bool detail_of_client = false;              ///< what a client asked for: no echo replaces it
  ChainLink link;
  bool in_chain = false;  ///< or among the loose ones
  std::optional<std::size_t>
      slot;              ///< its place in the oldest part of the chain, which has no links
  bool tracked = false;  ///< by the event that is being applied
  Response* response = nullptr;
  bool described = false;  ///< a whole item was given, not just its id
  bool placed = false;     ///< its place in the conversation was told
  bool requested = false;  ///< a client asked for it, and the provider has not acknowledged it
  int output_index = no_output_index;  ///< its place among its response's items, where known
  bool spoken = false;                 ///< a user's speech
  bool committed = false;              ///< so the provider has said that the utterance is over
  bool discarded = false;  ///< speech whose audio was cleared away before it became an item
  bool deleted = false;
  bool settled = false;  ///< its connection is over: what comes now can only be repetition
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;

  std::optional<ToolState> tool;
  std::int64_t sent_audio_ms = 0;  ///< sent for it; 0: not known

  // ---- changes
  void append(int content_index, const Text& text, TimeMs now);
  /// The whole part, final. Wins over what deltas gave, unless it is empty.
  void finish_part(int content_index, const Text& text, TimeMs now);
  /// The same text once more, in some snapshot: fills a part that has no end of its own.
  void repeat_part(const Part& part, bool final, TimeMs now);
  /// What a snapshot of the item tells.
  void learn(const Item& from, TimeMs now);
  // tool_calls.cpp
  void add_arguments(const ToolArguments& event, TimeMs now);
  void tool_went_on(ToolStatus status, TimeMs now);

  /// Takes the words of what a client asked for if the provider's item came without any.
  void repeat_missing(const Item& asked, TimeMs now);
  /// Its JSON, from an event or, before any event had one, from the client that asked for it.
  void set_detail(std::string detail, bool of_client);
  void transcription_failed(const std::string& reason);
  void truncate(int content_index, std::int64_t audio_ms, std::int64_t sent_ms);
  /// Nothing more will come: what is open gets its last status.
  void settle(TimeMs now);
  void touch_times(TimeMs now);  ///< sets those that are not set

  // ---- what follows from it
  bool is_turn() const;
  bool is_answer() const { return item.role == Role::assistant; }
  TurnStatus status() const;
  /// A turn that was open when its stream ended, and is not known to have all of its text.
  bool cut_off() const;
  std::optional<GapKind> gap() const;
  bool awaits_transcription() const;
  /// The part has had its end: no delta will be taken any more.
  bool has_ended(int content_index) const;
  /// The part's text is exactly this.
  bool says(int content_index, const Text& text) const;
  bool says_all(const std::vector<Part>& parts) const;
  /// The part has text, and `whole` is that text or goes on where it stopped.
  bool is_begun_by(int content_index, const Text& whole) const;
  /// A person's speech, with its words.
  bool is_transcribed() const {
    return spoken && transcription_ == Transcription::completed && text_bytes_ > 0;
  }
  bool transcription_pending() const {
    return spoken && !settled && transcription_ == Transcription::pending;
  }
  Turn turn() const;

  /// What a change of must be told (Transcript::Applied), cheap to compare.
  struct Fingerprint {
    bool is_turn = false;
    Role role = Role::unknown;
    TurnStatus status = TurnStatus::in_progress;
    std::uint64_t text_version = 0;
    std::int64_t heard_ms = -1;
    bool deleted = false;
    bool operator==(const Fingerprint&) const = default;
  };
  Fingerprint fingerprint() const;

  /// All but the links and the response.
  template <class Self>
  static auto members(Self& of) {
    return std::tie(of.item, of.detail_place, of.detail_print, of.detail_of_client, of.slot,
                    of.described, of.placed, of.requested, of.output_index, of.spoken, of.committed,
                    of.discarded, of.deleted, of.settled, of.started_at, of.ended_at, of.part_ends_,
                    of.open_parts_, of.text_bytes_, of.text_version_, of.transcription_,
                    of.failure_, of.truncation_, of.settled_as_, of.last_text_at_, of.tool,
                    of.sent_audio_ms);
  }

 private:
  /// `said`: by a done before which no delta came.
  enum class PartEnd : std::uint8_t { open, repeated, done, said };
  enum class Transcription : std::uint8_t { pending, completed, failed };
  struct Truncation {
    int content_index = 0;
    std::int64_t audio_ms = 0;
    std::int64_t sent_ms = 0;

    template <class Self>
    static auto members(Self& of) {
      return std::tie(of.content_index, of.audio_ms, of.sent_ms);
    }
  };

  void learn_tool(const Item& from, TimeMs now);
  bool become_tool(bool mcp, TimeMs now);
  std::size_t part_index(int content_index);
  void set_text(std::size_t part, const Text& text);
  void add_sentence(std::size_t part, const Text& text);
  int speech_index(int given) const;
  void end_part(std::size_t part, PartEnd end);
  TurnStatus status_from_events() const;
  TurnStatus answer_status() const;
  TurnStatus status_at_end() const;
  std::string reason() const;
  Text text() const;
  std::optional<Text> heard_text() const;

  std::vector<PartEnd> part_ends_;  ///< beside item.parts
  std::size_t open_parts_ = 0;
  std::size_t text_bytes_ = 0;
  std::uint64_t text_version_ = 0;
  Transcription transcription_ = Transcription::pending;
  std::string failure_;
  std::optional<Truncation> truncation_;
  std::optional<TurnStatus> settled_as_;  ///< only if it was open then
  std::optional<TimeMs> last_text_at_;
};

}  // namespace verbatim::session
