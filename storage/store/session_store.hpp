// Stored sessions and their transcripts, as the API reads and changes them.
//
// Any thread. Reads of one share are done in their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "session/transcript/render/render.hpp"
#include "storage/store/call.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::store {

/// Whether an attempt's audio was recorded.
enum class Recorded : std::uint8_t { no, yes, stopped };

struct AttemptSummary {
  int number = 0;
  transcript::SessionStatus status = transcript::SessionStatus::created;
  TimeMs started_at = 0;
  std::optional<TimeMs> ended_at;
  std::optional<transcript::CloseReason> close_reason;
  bool complete = false;
  /// In a fleet: its node does not answer, and may have words that the database lacks.
  bool tail_pending = false;
  std::string model;
  std::size_t turns = 0;
  std::string first_words;           ///< of its user, else of the first stored turn with text
  std::string usage_json = "[]";     ///< for a running attempt only if one session is read
  Recorded recorded = Recorded::no;  ///< `stopped`: until the disk failed
  std::optional<transcript::Receipt> receipt;  ///< of a final attempt; not in lists
};

struct SessionSummary {
  std::string id;
  std::string user;
  std::string metadata_json = "{}";
  std::string private_json = "{}";  ///< metadata that only back ends read
  transcript::SessionStatus status = transcript::SessionStatus::created;
  TimeMs created_at = 0;
  std::vector<AttemptSummary> attempts;  ///< oldest first
};

/// A session that has not ended counts as the last to end.
enum class SessionSort {
  created_last,
  created_first,
  ended_last,
  ended_first,
  user_a_to_z,
  user_z_to_a,
};

struct SessionFilter {
  std::optional<transcript::SessionStatus> status;
  std::optional<std::string> user;
  std::optional<TimeMs> since;                                ///< created at or after
  std::optional<TimeMs> until;                                ///< created before
  std::vector<std::pair<std::string, std::string>> metadata;  ///< top-level members: text, a
                                                              ///< number, true, false or null
  /// Words to find in turns, or the beginning of the id or of the user; empty: no search. A search
  /// is sorted by creation.
  std::string question;
  SessionSort sort = SessionSort::created_last;
  bool total = false;  ///< count the sessions that meet the conditions
  std::size_t limit = 50;
  std::string cursor;  ///< next_cursor of the page before; empty for the first page
};

/// A place where a search found its words.
struct SearchHit {
  int attempt = 0;
  int ordinal = 0;  ///< of the turn
  transcript::Role role = transcript::Role::user;
  std::string snippet;             ///< a part of the turn's text, as WTF-8
  std::vector<std::string> words;  ///< the words of the snippet that were asked for
};

struct SessionPage {
  std::vector<SessionSummary> sessions;  ///< in the order that was asked for
  std::string next_cursor;               ///< empty on the last page
  std::optional<std::size_t> total;      ///< if it was asked for
  bool total_is_exact = true;            ///< false: there are more, which were not counted
  /// Of a search, one for each session; nullopt: its id or its user begins with the question.
  std::vector<std::optional<SearchHit>> hits;
  /// Of a search; false: the index lacks transcripts that have changed lately or is being made.
  bool search_complete = true;
};

struct TranscriptRequest {
  std::string session_id;
  std::optional<int> attempt;  ///< none: the latest
  bool all_attempts = false;   ///< `attempt` is ignored
};
/// One for each attempt that was asked for, oldest first, all in one snapshot.
using TranscriptViews = std::vector<transcript::TranscriptView>;

struct NewSession {
  std::string id;
  std::string user;
  std::string metadata_json = "{}";
  std::string private_json = "{}";
  TimeMs now = 0;
  std::string idempotency;  ///< identifies the caller's Idempotency-Key; empty: it sent none
  std::string request;      ///< identifies the content of the request
};
struct MadeSession {
  enum class Outcome { made, there_already, another_users, key_of_another_request };
  Outcome outcome = Outcome::made;
  std::string id;  ///< of the session that was made, now or earlier with this key
};

/// RFC 7396 patches, as JSON.
struct MetadataPatch {
  std::string metadata;
  std::string private_metadata;
};

class SessionStore {
 public:
  virtual ~SessionStore() = default;

  virtual void list_sessions(SessionFilter filter, ReadLabel label, Done<SessionPage> done) = 0;
  /// nullopt if there is no such session.
  virtual void find_session(std::string id, ReadLabel label,
                            Done<std::optional<SessionSummary>> done) = 0;
  /// The session's user; nullopt if there is no such session.
  virtual void find_owner(std::string id, ReadLabel label,
                          Done<std::optional<std::string>> done) = 0;
  /// A running attempt as far as it is durable, partial turns included. nullopt if there is no such
  /// session or attempt.
  virtual void read_transcripts(TranscriptRequest request, ReadLabel label,
                                Done<std::optional<TranscriptViews>> done) = 0;
  /// Sessions whose last attempt ended before this time, oldest first. If an attempt was never
  /// relayed, its last post counts as its end.
  virtual void sessions_ended_before(TimeMs time, std::size_t limit, ReadLabel label,
                                     Done<std::vector<std::string>> done) = 0;

  /// Makes the session record before its first attempt. The idempotency key is stored in that
  /// record and erased with it.
  virtual void create_session(NewSession asked, Done<MadeSession> done) = 0;
  /// Applies the patches to the session's metadata and private metadata. not_found; too_many if one
  /// of them would exceed `bytes_max`.
  virtual void patch_metadata(std::string id, MetadataPatch patch, std::size_t bytes_max,
                              Done<> done) = 0;
  /// Erases everything about a session: events, turns, attempts, copies, messages, from every file.
  /// Revokes the client tokens that were made for it, and removes those without further use. False
  /// if there is none. Refused, and nothing is erased, while the session has a live attempt.
  /// `gone`: called once no file has any of its text, on any thread, possibly before `done`. Other
  /// processes that read the files delay it. Never called if nothing was erased, or if the store is
  /// shut down first.
  virtual void erase_session(std::string id, TokenClock clock, Done<bool> done,
                             std::function<void()> gone) = 0;
};

}  // namespace verbatim::store
