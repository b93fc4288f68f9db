// For a second transcription of failed utterances (server/repair): the attempts that may need one,
// and how often each of their utterances was tried.
//
// Tries are stored before a call is made, so a process that is killed again and again makes no more
// calls than one that is not.
//
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "storage/store/call.hpp"
#include "storage/store/copy_store.hpp"

namespace verbatim::store {

/// A place in the order of changes of stored attempts. None stored: before the first one.
struct RepairCursor {
  std::int64_t changed = 0;
  std::int64_t attempt = 0;

  friend bool operator==(const RepairCursor&, const RepairCursor&) = default;
};

struct RepairableAttempt {
  std::string session_id;
  int number = 0;

  friend auto operator<=>(const RepairableAttempt&, const RepairableAttempt&) = default;
};

struct RepairPage {
  std::vector<RepairableAttempt> attempts;
  RepairCursor next;
  bool more = false;  ///< there are changes after `next`
};

/// The calls that were made for an utterance.
struct RepairTries {
  std::string item_id;
  int tries = 0;
  std::int64_t audio_ms = 0;  ///< sent in all of them
};

struct RepairRecord {
  std::string language;  ///< that the session set for transcriptions; empty: none
  std::vector<RepairTries> tries;
};

struct RepairTry {
  RepairableAttempt attempt;
  std::string item_id;
  std::int64_t audio_ms = 0;
  bool another = true;  ///< false: a second engine in the same try
};

class RepairStore {
 public:
  virtual ~RepairStore() = default;

  /// Final attempts with recorded speech that have changed since, and whose relay's turns lack
  /// text. Other copies may have it. Looks at `limit` attempts at most.
  virtual void find_repairable(RepairCursor since, std::size_t limit, ReadLabel label,
                               Done<RepairPage> done) = 0;
  /// Empty if there is no such attempt.
  virtual void read_repair(RepairableAttempt attempt, ReadLabel label, Done<RepairRecord> done) = 0;
  /// not_found: the attempt is not there any more, and its audio must not be sent.
  virtual void note_repair_try(RepairTry one, Done<> done) = 0;
  /// The attempt may be tried as often as a new one.
  virtual void forget_repair_tries(RepairableAttempt attempt, Done<> done) = 0;
  /// Keeps a copy with one turn, as CopyStore does. not_found: the try of its item was not noted,
  /// or was erased with its session. A later session of the same name must not get it.
  virtual void keep_repair(PostedCopy posted, Done<KeptCopy> done) = 0;
};

}  // namespace verbatim::store
