// One session as another database has it, read and merged by the same code as this store's own
// sessions. So a node of a fleet gives the same answers about a session of another node.
//
// An image is a copy in memory: nothing is written anywhere. One thread uses it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/store/copy_store.hpp"
#include "storage/store/session_store.hpp"
#include "storage/store/shipping_store.hpp"
#include "storage/store/tail_store.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::store {

struct ImageAttempt {
  ShippedAttempt attempt;
  std::vector<ShippedTurn> turns;
  std::vector<ShippedToolCall> tool_calls;
  /// Of an attempt that has not ended, in their order. Their `attempt` is ignored.
  std::vector<ShippedEvent> events;
  std::vector<ShippedCopy> copies;  ///< oldest first. Their `attempt` and `id` are ignored
  bool tail_pending = false;        ///< its node, if it does not answer, may have later words
};

/// All rows of one session.
struct SessionRows {
  ShippedSession session;
  std::vector<ImageAttempt> attempts;  ///< oldest first
  std::vector<ShippedToken> tokens;    ///< that were made for it or used for it
};

class SessionImage {
 public:
  virtual ~SessionImage() = default;

  virtual StoreResult<std::optional<SessionSummary>> session() = 0;
  virtual StoreResult<std::optional<TranscriptViews>> transcripts(
      const TranscriptRequest& request) = 0;
  /// `ended` is set for a running attempt too: it is the state that the image has.
  virtual StoreResult<std::optional<TailStart>> tail(const TailRequest& request) = 0;
  virtual StoreResult<TokenStanding> standing(const TokenUse& use, const TokenClock& clock) = 0;

  /// The changes that a post made.
  struct Posted {
    KeptCopy kept;           ///< with its outcome
    std::string body;        ///< of the copy, as it is stored
    ShippedAttempt attempt;  ///< as it is now
  };
  /// Keeps the copy in the image and merges it. Errors as CopyStore::keep_copy().
  virtual StoreResult<Posted> post(const PostedCopy& posted) = 0;
};

/// Makes an image of these rows.
using OpenImage = std::function<StoreResult<std::unique_ptr<SessionImage>>(const SessionRows&)>;

}  // namespace verbatim::store
