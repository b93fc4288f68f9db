// The announcements of open answers: their original objects, and the items and parts that have
// ended. If the upstream connection is lost, answer_events.hpp ends the answers from this. Text is
// not kept here; the transcript has it.
//
// Pure; part of a RealtimeSession, on its thread. Untrusted input: never throws on it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/protocol/open_answers.hpp"

namespace verbatim::protocol {

class AnnouncedAnswers final : public OpenAnswers {
 public:
  /// `bytes_max`: limit on the JSON kept of all answers together. JSON that does not fit is left
  /// out; the object is then written from the transcript.
  explicit AnnouncedAnswers(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  struct Part {
    int content_index = 0;
    bool spoken = false;
    bool audio_ended = false;  ///< response.output_audio.done
    bool words_ended = false;  ///< response.output_audio_transcript.done, response.output_text.done
    bool ended = false;        ///< response.content_part.done
  };

  struct Item {
    std::string id;
    int output_index = 0;
    std::string json;  ///< from response.output_item.added; empty: not kept
    /// `previous_item_id` of conversation.item.added, as JSON; nullopt: it has not come.
    std::optional<std::string> previous;
    bool ended_in_conversation = false;  ///< conversation.item.done
    bool ended = false;                  ///< response.output_item.done
    /// Arguments of a tool call so far; nullopt: they did not fit.
    std::optional<std::string> arguments = std::string();
    bool arguments_ended = false;
    std::vector<Part> parts;  ///< in the order of their announcement
  };

  struct Answer {
    std::string id;
    std::string json;  ///< from response.created; empty: not kept
    std::vector<Item> items;

    const Item* find(std::string_view item_id) const;
  };

  /// Deltas of audio and text are ignored.
  void see(std::string_view type, std::string_view message) override;
  void clear() override;
  std::vector<std::string> so_far(const transcript::Transcript& transcript, bool spoken,
                                  const EventIds& next_event_id) const override;
  std::vector<std::string> cut_off(const transcript::Transcript& transcript, bool spoken,
                                   const EventIds& next_event_id) const override;

  /// nullptr if the answer was not announced.
  const Answer* find(std::string_view response_id) const;
  bool empty() const { return answers_.empty(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Reading;

  Answer* answer(std::string_view response_id);  ///< added if unknown; nullptr: no room
  Item* item(const Reading& event);              ///< likewise
  Item* find_item(std::string_view item_id);
  Part* part(Item& item, const Reading& event);  ///< likewise
  void begin(const Reading& event);
  void finish(const Reading& event);
  void announce(const Reading& event);
  void place(const Reading& event);
  void take_arguments(const Reading& event);
  void note_end(const Reading& event);
  bool take(std::size_t bytes);
  static std::size_t size_of(const Answer& answer);

  std::vector<Answer> answers_;
  std::size_t bytes_ = 0;
  std::size_t bytes_max_;
};

}  // namespace verbatim::protocol
