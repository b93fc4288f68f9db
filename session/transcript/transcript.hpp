// The transcript engine: takes events and returns turns. No I/O: no sockets, no clock, no threads.
// One thread at a time; owned by a session or by recovery.
//
// One object holds the conversation of one attempt over all its upstream connections. It keeps
// items in the order of the conversation's item chain (P4), text by item and content part, and a
// turn for every committed utterance (P13). Repeats are recognised by ids, never by equal text.
// Rules and their sources: docs/transcript-rules.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/event.hpp"
#include "session/transcript/spill.hpp"
#include "session/transcript/tool_call.hpp"
#include "session/transcript/turn.hpp"
#include "session/transcript/usage.hpp"

namespace verbatim::transcript {

/// Limits for one conversation. Above them, the memory of old ids is dropped, never text.
struct TranscriptOptions {
  std::size_t remembered_event_ids = 1024;  ///< for each upstream connection, to recognise repeats
  /// Client items that wait for the provider's acknowledgement: their number and their bytes. Above
  /// a limit, the oldest is placed at the end of the conversation.
  std::size_t requested_items_max = 256;
  std::size_t requested_bytes_max = 32 * 1024 * 1024;
};

class Transcript {
 public:
  explicit Transcript(TranscriptOptions options = {});
  ~Transcript();
  Transcript(Transcript&&) noexcept;
  Transcript& operator=(Transcript&&) noexcept;

  struct Applied {
    bool repeat = false;               ///< the event_id was seen before: nothing changed
    std::vector<std::string> changed;  ///< ids of items whose turn changed its text or status
  };

  /// Applies one event at `now` (wall clock, milliseconds). Never fails: an event that makes no
  /// sense changes nothing. The amortised cost does not depend on the length of the conversation.
  Applied apply(const Event& event, TimeMs now);

  /// Milliseconds of audio that the provider has sent for a part. ItemTruncated carries it into the
  /// journal, since audio is not journaled.
  std::int64_t audio_sent_ms(const std::string& item_id, int content_index) const;

  /// For each item with audio since its last AnswerAudio: the total of all its parts.
  std::vector<AnswerAudio> unrecorded_audio() const;

  /// Keeps about `items_in_memory` items in memory and moves older ones to `spill`; 0: all stay in
  /// memory. Functions that read items may then throw SpillError.
  void spill_to(std::unique_ptr<Spill> spill, std::size_t items_in_memory);

  /// The stream has ended: open items get their final status (rules 7 and 8). Later events are
  /// ignored.
  void finish(TimeMs now);
  bool finished() const;

  /// Sets the earliest time of all events. A clock may be set back, but times never decrease: an
  /// event with an earlier time gets that of the event before it.
  void not_before(TimeMs at);
  /// The latest time so far; the conversation does not end before it.
  TimeMs latest() const;

  struct Contents {
    /// In the conversation's order, ordinals 1..n. Tool items are not turns.
    std::vector<Turn> turns;
    /// The known gaps. `uncommitted_speech` and `unacknowledged_item` only after finish(). An item
    /// that was not acknowledged is a turn too, if it has text.
    std::vector<Gap> gaps;
    /// Some turn was open when the stream or an upstream connection ended, and may lack text. A
    /// turn that the provider itself cut short does not count.
    bool cut_off = false;
    /// In the conversation's order. `unanswered` only after finish().
    std::vector<ToolCall> tool_calls;
  };
  /// The whole transcript, in one pass. `with_tool_calls`: false leaves them out; they may be long.
  Contents contents(bool with_tool_calls = true) const;
  std::vector<Turn> turns() const;
  std::vector<Gap> gaps() const;
  /// Increases with every change of a tool call, except a change of its place among the turns.
  std::uint64_t tools_version() const;

  /// The present turn of one item; nullopt if the item is not a turn. Its ordinal is 0, because
  /// finding it takes a pass over the chain.
  std::optional<Turn> turn(const std::string& item_id) const;
  /// The same, but nullopt for a turn without a final status; an open turn is not copied.
  std::optional<Turn> ended_turn(const std::string& item_id) const;
  /// turn() with its ordinal.
  std::optional<Turn> numbered_turn(const std::string& item_id) const;

  /// Some committed speech still waits for its transcription.
  bool awaiting_transcription() const;

  /// The provider's usage objects of all ended responses and transcriptions, original JSON, in
  /// order.
  std::vector<std::string> usage() const;
  /// The sum of usage(), with the metered audio.
  const Usage& used() const;
  const ResponseCounts& responses() const;
  /// The provider's id of the latest upstream connection's session; empty if it gave none.
  const std::string& provider_session_id() const;
  /// The language that the session sets for transcriptions; empty: none.
  const std::string& language() const;

  /// Ids of all items in the conversation's order, for a rebuild; item() returns the details.
  /// Deleted turns are included, and turn() marks them; deleted tool items are not.
  std::vector<std::string> chain() const;
  std::optional<Item> item(const std::string& item_id) const;
  /// Like item(), but without a large `detail`.
  std::optional<Item> outline(const std::string& item_id) const;
  /// An event that repeats this item's `detail` adds nothing.
  bool has_detail(const Item& item) const;
  /// The item has a place in the conversation and is not deleted.
  bool is_in_conversation(const std::string& item_id) const;
  /// More may follow: the item is being spoken, called or transcribed.
  bool is_open(const std::string& item_id) const;
  /// The item before this one in the conversation; empty if it is the first.
  std::string item_before(const std::string& item_id) const;
  /// The item's upstream connection has ended, so nothing more will follow.
  bool is_settled(const std::string& item_id) const;

  /// Open answers on the present upstream connection, in the order in which they began.
  struct Running {
    std::string response_id;
    bool out_of_band = false;
    std::vector<std::string> item_ids;
  };
  std::vector<Running> running() const;
  bool is_answering() const;
  /// The last turn is speech with its transcription, and no answer to it has begun.
  bool awaiting_answer() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The final result of an attempt.
struct FinalTranscript {
  std::vector<Turn> turns;
  std::vector<Gap> gaps;
  std::vector<ToolCall> tool_calls;
  bool complete = false;  ///< no gap, and no turn cut off by the end of a stream
  /// JSON list: the original usage objects, first_audio(), response_counts(), provider_session()
  /// and metered_audio().
  std::string usage_json = "[]";
  Usage used;  ///< the sum of that list
};

/// The stored form of an attempt's usage.
std::string usage_list(const Transcript& transcript);

/// Calls finish() and collects the result, at the end of a live session and in recovery.
FinalTranscript finalise(Transcript& transcript, TimeMs now);

}  // namespace verbatim::transcript
