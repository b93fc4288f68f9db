#include "session/transcript/item_chain.hpp"

#include "base/assert.hpp"
#include "session/transcript/conversation_item.hpp"

namespace verbatim::transcript {

/// Makes two items neighbours; nullptr means the end of the chain on that side.
void ItemChain::connect(ConversationItem* before, ConversationItem* behind) {
  (before != nullptr ? before->link.behind : first_) = behind;
  (behind != nullptr ? behind->link.before : last_) = before;
}

void ItemChain::push_front(ConversationItem& item) {
  ConversationItem* const old_first = first_;
  connect(nullptr, &item);
  connect(&item, old_first);
  ++size_;
}

void ItemChain::push_back(ConversationItem& item) {
  ConversationItem* const old_last = last_;
  connect(old_last, &item);
  connect(&item, nullptr);
  ++size_;
}

void ItemChain::insert_behind(ConversationItem& anchor, ConversationItem& item) {
  ConversationItem* const next = anchor.link.behind;
  VERBATIM_EXPECTS((next != nullptr ? next->link.before : last_) == &anchor);
  connect(&anchor, &item);
  connect(&item, next);
  ++size_;
}

void ItemChain::remove(ConversationItem& item) {
  VERBATIM_EXPECTS((item.link.before != nullptr ? item.link.before->link.behind : first_) == &item);
  connect(item.link.before, item.link.behind);
  item.link = {};
  --size_;
}

}  // namespace verbatim::transcript
