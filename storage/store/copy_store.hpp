// Copies of a conversation that other writers post. Nothing is overwritten, and an identical copy
// adds nothing. The transcript is transcript::merge() of all copies and of what the relay heard, so
// the order of the posts does not matter.
//
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>

#include "session/transcript/journal.hpp"
#include "session/transcript/merge/copy.hpp"
#include "session/transcript/merge/merge.hpp"
#include "storage/store/call.hpp"

namespace verbatim::store {

/// Limits on the sum of one attempt's copies. A copy beyond them is refused (too_many) and not
/// kept. Without a limit by default: config/keys_storage.cpp declares the limits.
struct CopyLimits {
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  std::size_t copies_max = none;
  std::size_t turns_max = none;
  std::size_t bytes_max = none;  ///< as they are stored
  /// Appended to the error message if these limits are only a part of the configured ones.
  const char* of = "";
  /// If set, every new copy is refused (too_many) with this text.
  const char* nothing_new = nullptr;
};

struct PostedCopy {
  std::string session_id;
  std::optional<int> attempt;  ///< none: the latest. Latest + 1 is made if none runs
  transcript::Copy copy;
  TimeMs now = 0;
  CopyLimits limits = {};
  std::string body = {};  ///< encode_turns(copy.turns), if the caller has it already
};

/// The changes that a post made, and the attempt's totals now.
struct PostOutcome {
  transcript::Contribution brought;
  std::size_t turns = 0;
  bool complete = false;
};

struct KeptCopy {
  std::int64_t id = 0;  ///< of this copy, or of the identical one that was there before
  transcript::AttemptId attempt = 0;
  int attempt_number = 0;
  bool is_new = false;
  bool merges_slowly = false;                         ///< MergeLane::slow
  std::optional<PostOutcome> outcome = std::nullopt;  ///< set if the store has merged it already
};

class CopyStore {
 public:
  virtual ~CopyStore() = default;

  /// Runs `work`, which takes long and reads nothing stored, on a thread that merges, in turn with
  /// the reads of other shares there.
  virtual void compute(MergeLane lane, ReadLabel label, std::function<void()> work) = 0;
  /// Keeps the copy. It is merged later, by merge_copy() or by the store itself. not_found: no such
  /// session or attempt.
  virtual void keep_copy(PostedCopy posted, Done<KeptCopy> done) = 0;
  /// Merges all copies of the attempt, and stores the counts if it is final, so that lists show
  /// them. nullopt if the session was erased meanwhile. An identical copy brings nothing.
  virtual void merge_copy(KeptCopy kept, std::string session_id, ReadLabel label,
                          Done<std::optional<PostOutcome>> done) = 0;
};

}  // namespace verbatim::store
