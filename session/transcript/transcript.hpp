// The transcript engine: events in, turns out. Sans-I/O: no sockets, no clock, no threads.
//
// One object is the conversation of one attempt, over all of its connections to the provider.
// It keeps items in the order of the conversation's own chain (P4), text by (item, content part),
// and every committed utterance's slot (P13). Repeats are recognised by ids, never by equal text.
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

namespace verbatim::session {

/// Bounds for one conversation; beyond them the oldest repeat-detection memory goes, never text.
struct TranscriptOptions {
  std::size_t remembered_event_ids = 1024;  ///< per upstream connection, to recognise re-emission
  /// A client's items that the provider has not acknowledged: how many, and how many bytes of them,
  /// wait for their place. Beyond that the oldest takes the end of the conversation.
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
    bool repeat = false;               ///< an event_id seen before: nothing changed
    std::vector<std::string> changed;  ///< items whose turn changed text or status
  };

  /// Folds one event in. Never fails: what makes no sense changes nothing.
  /// Amortised cost is independent of the conversation's length.
  Applied apply(const Event& event, TimeMs now);

  /// How many milliseconds of audio the provider has sent for a part so far; what an
  /// ItemTruncated must carry into the journal, since audio itself is not journaled.
  std::int64_t audio_sent_ms(const std::string& item_id, int content_index) const;

  /// What the provider has sent for each item since that was last told by an AnswerAudio: all of
  /// the item's parts together.
  std::vector<AnswerAudio> unrecorded_audio() const;

  /// Keeps about so many items in memory from now on, and the older ones in `spill` (0: all stay in
  /// memory). Changes nothing else, but that what reads may throw SpillError.
  void spill_to(std::unique_ptr<Spill> spill, std::size_t items_in_memory);

  /// The stream is over: whatever is still open gets its last status (rules 7 and 8). Further
  /// events are ignored.
  void finish(TimeMs now);
  bool finished() const;

  /// Clocks are set back; the times of a conversation are not. What is told to have happened before
  /// something that came before it happened at that time; and nothing before this one.
  void not_before(TimeMs at);
  /// The latest time so far: no end of the conversation is before it.
  TimeMs latest() const;

  struct Contents {
    /// In the conversation's order, ordinals 1..n. Tool items are links, not turns.
    std::vector<Turn> turns;
    /// What is known to be missing. `uncommitted_speech` and `unacknowledged_item` only after
    /// finish(); an item that was not acknowledged is a turn as well, if it has text.
    std::vector<Gap> gaps;
    /// Some turn was still open when the stream (or one of its connections) ended, and is not known
    /// to have all of its text. What the provider itself cut short is not meant.
    bool cut_off = false;
    /// In the conversation's order. `unanswered` only after finish().
    std::vector<ToolCall> tool_calls;
  };
  /// All of it, in one walk along the conversation. Without `tool_calls` where they are not asked
  /// for: they may be long.
  Contents contents(bool with_tool_calls = true) const;
  std::vector<Turn> turns() const;
  std::vector<Gap> gaps() const;
  /// Grows with everything that can change a tool call, but for the turns before it.
  std::uint64_t tools_version() const;

  /// One item's turn as it stands; nullopt if the item is no turn. Its ordinal is 0 (finding it
  /// takes a walk along the chain; turns() does that).
  std::optional<Turn> turn(const std::string& item_id) const;
  /// The same if its status says how it ended. One that is still being said is not copied.
  std::optional<Turn> ended_turn(const std::string& item_id) const;
  /// turn() with its ordinal.
  std::optional<Turn> numbered_turn(const std::string& item_id) const;

  /// Some committed speech still waits for its transcription.
  bool awaiting_transcription() const;

  /// Provider's usage objects of all finished responses and transcriptions, as they came (JSON), in
  /// order.
  std::vector<std::string> usage() const;
  /// The same added up, with the audio that was metered.
  const Usage& used() const;
  const ResponseCounts& responses() const;

  /// Item kinds other than turns, in chain order with the turns' ids between them: what a rebuild
  /// of the conversation needs (ids only; details by item()). Turns deleted in the conversation
  /// are in it, flagged by turn(); deleted tool items are not.
  std::vector<std::string> chain() const;
  std::optional<Item> item(const std::string& item_id) const;
  /// The same without its `detail`, where that is large.
  std::optional<Item> outline(const std::string& item_id) const;
  /// An event that repeats this item's `detail` says nothing new by it.
  bool has_detail(const Item& item) const;
  /// It has a place there, and was not deleted.
  bool is_in_conversation(const std::string& item_id) const;
  /// More of it may come: it is being said, called or transcribed.
  bool is_open(const std::string& item_id) const;
  /// Of the conversation's items the one before this; empty if it is the first.
  std::string item_before(const std::string& item_id) const;
  /// The item is of a connection to the provider that is over: nothing more will come of it.
  bool is_settled(const std::string& item_id) const;

  /// Answers under way on the present connection, in the order of their beginnings.
  struct Running {
    std::string response_id;
    bool out_of_band = false;
    std::vector<std::string> item_ids;
  };
  std::vector<Running> running() const;
  bool is_answering() const;
  /// The last that was said is speech, its words are known, and nothing has begun to answer it.
  bool awaiting_answer() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Everything a finished attempt leaves behind.
struct FinalTranscript {
  std::vector<Turn> turns;
  std::vector<Gap> gaps;
  std::vector<ToolCall> tool_calls;
  bool complete = false;  ///< no gap, and no turn cut off by the end of a stream
  /// Usage objects as they came, response_counts() and metered_audio().
  std::string usage_json = "[]";
  Usage used;  ///< the same added up
};

/// As an attempt's usage is stored.
std::string usage_list(const Transcript& transcript);

/// finish() and collect. Used by the teardown of a live session and by recovery alike.
FinalTranscript finalise(Transcript& transcript, TimeMs now);

}  // namespace verbatim::session
