// One item of the conversation in the transcript engine: its text by content part, and the state
// that decides its turn's status (rules 2, 7, 8 and 9). It knows its neighbours only through the
// chain's link.
//
// One thread at a time; part of a Transcript, which alone changes it.
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

namespace verbatim::transcript {

/// One answer of the model, as far as the status of its items needs it.
struct Response {
  std::string id;
  bool out_of_band = false;
  bool talked_over = false;  ///< a response.cancel or speech_started came while it was running
  bool ended = false;
  ResponseStatus status = ResponseStatus::other;
  std::string reason;
  std::size_t connection = 0;  ///< number of the upstream connection that began it, from 0
  std::vector<ConversationItem*> items;

  /// All members but the items.
  template <class Self>
  static auto members(Self& of) {
    return std::tie(of.id, of.out_of_band, of.talked_over, of.ended, of.status, of.reason,
                    of.connection);
  }
};

/// For a tool's item: facts from its events that the item itself lacks.
struct ToolState {
  std::string call_id;
  std::string name;
  Text arguments;
  bool mcp = false;
  bool whole = false;  ///< the arguments are complete
  ToolStatus reported = ToolStatus::in_progress;
  std::optional<TimeMs> over_at;

  template <class Self>
  static auto members(Self& of) {
    return std::tie(of.call_id, of.name, of.arguments, of.mcp, of.whole, of.reported, of.over_at);
  }
};

/// A hash of an item's JSON, to recognise it again. 0 only for an empty one.
std::uint64_t print_of_detail(std::string_view detail);

struct ConversationItem {
  // ---- State ----
  /// `parts` hold the text so far, sorted by content_index. A large `detail` is empty here;
  /// detail_place says where it is.
  Item item;
  std::optional<std::uint64_t> detail_place;  ///< place of the detail in the spill, if it is there
  std::uint64_t detail_print = 0;             ///< a hash of the detail; 0: no detail
  bool detail_of_client = false;  ///< from a client's request; an echo never replaces it
  ChainLink link;
  bool in_chain = false;  ///< false: in the list of items without a place
  std::optional<std::size_t>
      slot;              ///< its number in the oldest part of the chain, which has no links
  bool tracked = false;  ///< by the event that is being applied
  Response* response = nullptr;
  bool described = false;              ///< an event gave the whole item, not only its id
  bool placed = false;                 ///< an event gave its place in the conversation
  bool requested = false;              ///< a client requested it; not acknowledged by the provider
  int output_index = no_output_index;  ///< its index among its response's items, if known
  bool spoken = false;                 ///< a user's speech
  bool committed = false;              ///< the provider has committed the utterance
  bool discarded = false;              ///< speech whose audio was cleared before it became an item
  bool deleted = false;
  bool settled = false;  ///< its upstream connection has ended; later events can only repeat it
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;

  std::optional<ToolState> tool;
  std::int64_t sent_audio_ms = 0;  ///< audio sent for it; 0: not known

  // ---- Changes ----
  void append(int content_index, const Text& text, TimeMs now);
  /// The final text of a part. Replaces the text of the deltas, unless it is empty.
  void finish_part(int content_index, const Text& text, TimeMs now);
  /// The text repeated in a snapshot; completes a part that has no final event of its own.
  void repeat_part(const Part& part, bool final, TimeMs now);
  /// Takes the facts in a snapshot of the item.
  void learn(const Item& from, TimeMs now);
  // tool_calls.cpp
  void add_arguments(const ToolArguments& event, TimeMs now);
  void tool_went_on(ToolStatus status, TimeMs now);

  /// Takes the text that a client asked for, if the provider's item came without any.
  void repeat_missing(const Item& asked, TimeMs now);
  /// Sets the item's JSON: from an event, or from the client's request if no event had one before.
  void set_detail(std::string detail, bool of_client);
  void transcription_failed(const std::string& reason);
  void truncate(int content_index, std::int64_t audio_ms, std::int64_t sent_ms);
  /// Nothing more will come: open parts get their final status.
  void settle(TimeMs now);
  void touch_times(TimeMs now);  ///< sets the times that are not set

  // ---- Derived values ----
  bool is_turn() const;
  bool is_answer() const { return item.role == Role::assistant; }
  TurnStatus status() const;
  /// A turn that was open when its stream ended and may lack some of its text.
  bool cut_off() const;
  std::optional<GapKind> gap() const;
  bool awaits_transcription() const;
  /// The part has had its final event; later deltas are ignored.
  bool has_ended(int content_index) const;
  /// The part's text equals `text`.
  bool says(int content_index, const Text& text) const;
  bool says_all(const std::vector<Part>& parts) const;
  /// The part has text, and `whole` equals or continues it.
  bool is_begun_by(int content_index, const Text& whole) const;
  /// A user's speech with its transcription.
  bool is_transcribed() const {
    return spoken && transcription_ == Transcription::completed && text_bytes_ > 0;
  }
  bool transcription_pending() const {
    return spoken && !settled && transcription_ == Transcription::pending;
  }
  Turn turn() const;

  /// The values whose change Transcript::Applied reports; cheap to compare.
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

  /// All members but the links and the response.
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
  /// `said`: ended by a final event without deltas before it.
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

  std::vector<PartEnd> part_ends_;  ///< one for each of item.parts
  std::size_t open_parts_ = 0;
  std::size_t text_bytes_ = 0;
  std::uint64_t text_version_ = 0;
  Transcription transcription_ = Transcription::pending;
  std::string failure_;
  std::optional<Truncation> truncation_;
  std::optional<TurnStatus> settled_as_;  ///< only if it was open when settled
  std::optional<TimeMs> last_text_at_;
};

}  // namespace verbatim::transcript
