// The conversation's order: a doubly linked list through the items. Inserting behind a given item
// takes constant time.
//
// One thread at a time. Owns nothing: the items must outlive the chain, and their addresses must
// not change.
#pragma once

#include <cstddef>

namespace verbatim::transcript {

struct ConversationItem;

/// An item's links, kept inside the item. It is in at most one chain.
struct ChainLink {
  ConversationItem* before = nullptr;
  ConversationItem* behind = nullptr;
};

class ItemChain {
 public:
  ConversationItem* first() const { return first_; }
  ConversationItem* last() const { return last_; }
  std::size_t size() const { return size_; }

  void push_front(ConversationItem& item);
  void push_back(ConversationItem& item);
  /// Precondition: `anchor` is in this chain.
  void insert_behind(ConversationItem& anchor, ConversationItem& item);
  /// Precondition: `item` is in this chain.
  void remove(ConversationItem& item);

 private:
  void connect(ConversationItem* before, ConversationItem* behind);

  ConversationItem* first_ = nullptr;
  ConversationItem* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace verbatim::transcript
