// The conversation's items as the provider keeps them: in a chain, with a look-up by id. Bounded:
// drops the oldest items, as a provider drops them from its context. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "simulator/emitter.hpp"

namespace verbatim::simulator {

struct ConversationItem {
  OrderedJson json;           ///< as in conversation.item.added
  std::string words;          ///< of a spoken answer: the whole generated text
  std::int64_t audio_ms = 0;  ///< of a spoken answer: length of its audio
  bool truncated = false;
  std::size_t bytes = 0;  ///< set by the conversation, for its limit
};

class Conversation {
 public:
  static constexpr std::size_t most_items = 1000;
  static constexpr std::size_t most_bytes = 4U << 20U;

  /// Inserts behind `after`; at the front if `after` is empty. Precondition: `after` is empty or
  /// known, and the id is new.
  void insert(ConversationItem item, const std::string& after);
  void append(ConversationItem item) { insert(std::move(item), last_id()); }

  ConversationItem* find(const std::string& id);
  bool has_call(const std::string& call_id) const;
  bool erase(const std::string& id);

  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  std::string last_id() const;
  /// The last item, or nullptr.
  const ConversationItem* last() const { return items_.empty() ? nullptr : &items_.back(); }

  /// The id of the predecessor; null for the first item.
  OrderedJson previous_of(const std::string& id) const;
  bool is_second(const std::string& id) const;

  /// The text of the last user message; empty if the last one was spoken or there is none.
  std::string last_typed() const;
  /// An estimate of the number of input tokens for a model.
  std::size_t text_tokens() const { return bytes_ / 16; }

 private:
  using Items = std::list<ConversationItem>;
  void forget_oldest();

  Items items_;
  std::unordered_map<std::string, Items::iterator> by_id_;
  std::size_t bytes_ = 0;
};

/// The texts of a message's content, joined by spaces.
std::string text_of(const OrderedJson& item);

}  // namespace verbatim::simulator
