// What the provider has announced of the answers that are under way: their objects as they came,
// and which of their items and parts have ended. If the provider's connection is lost, the answers
// are ended in its place from this (snapshot.hpp). Text is not kept here: the transcript has it.
//
// Pure; part of a RealtimeSession, on its thread. Untrusted input: never throws on it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::session {

class OpenAnswers {
 public:
  /// `bytes_max`: how much is remembered of all answers together. What does not fit is left out
  /// where it came: an object is then written with what the transcript knows of it.
  explicit OpenAnswers(std::size_t bytes_max) : bytes_max_(bytes_max) {}

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
    std::string json;  ///< as response.output_item.added has it; empty: not remembered
    /// conversation.item.added has come: its `previous_item_id`, as JSON.
    std::optional<std::string> previous;
    bool ended_in_conversation = false;  ///< conversation.item.done
    bool ended = false;                  ///< response.output_item.done
    /// Of a tool's call, so far; nullopt: there was no room.
    std::optional<std::string> arguments = std::string();
    bool arguments_ended = false;
    std::vector<Part> parts;  ///< in the order in which they were announced
  };

  struct Answer {
    std::string id;
    std::string json;  ///< as response.created has it; empty: not remembered
    std::vector<Item> items;

    const Item* find(std::string_view item_id) const;
  };

  /// A message of the provider's that goes to the client. Deltas of audio and text mean nothing.
  void see(std::string_view type, std::string_view message);
  /// The connection is over, and what it had begun.
  void clear();

  /// nullptr if nothing was announced of it.
  const Answer* find(std::string_view response_id) const;
  bool empty() const { return answers_.empty(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Reading;

  Answer* answer(std::string_view response_id);  ///< made if unknown; nullptr: there is no room
  Item* item(const Reading& event);              ///< the same
  Item* find_item(std::string_view item_id);
  Part* part(Item& item, const Reading& event);  ///< the same as answer()
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

}  // namespace verbatim::session
