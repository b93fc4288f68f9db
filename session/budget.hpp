// How much a conversation may use, and for how long: what is near its end, and what has reached it.
// A limit is told of once before it ends the conversation.
//
// Pure: time is an argument. One thread; what the sessions of one user share is behind an
// interface.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "session/transcript/close_reason.hpp"
#include "session/transcript/usage.hpp"

namespace verbatim::session {

/// The numbers are indices: of what was told, and of the metrics.
enum class Limit : std::uint8_t {
  max_duration = 0,
  idle_timeout = 1,
  audio_seconds = 2,       ///< of this session
  tokens = 3,              ///< of this session
  user_audio_seconds = 4,  ///< of all sessions that the user began on this day
  user_tokens = 5,
  journal_bytes = 6,      ///< of this session in a minute, or of all of its user
  all_journal_bytes = 7,  ///< of all sessions in a minute, of which this one has the most
};
inline constexpr std::size_t limit_count = 8;
inline constexpr std::array<Limit, limit_count> all_limits = {
    Limit::max_duration,       Limit::idle_timeout, Limit::audio_seconds, Limit::tokens,
    Limit::user_audio_seconds, Limit::user_tokens,  Limit::journal_bytes, Limit::all_journal_bytes};
std::string_view to_string(Limit limit);
/// Budgets end with `policy`; the two clocks have reasons of their own.
CloseReason close_reason(Limit limit);
/// For the client: what was reached, and where it is set.
std::string reached(Limit limit);

/// What the sessions of one user have used together. Implemented by the server; its add() may be
/// called from the threads of several sessions at once, and takes no lock.
class SharedUsage {
 public:
  virtual ~SharedUsage() = default;
  /// The sum after it.
  virtual Usage add(std::int64_t audio_ms, std::int64_t tokens) = 0;
};

/// What sessions journal together: those of one user, and all. Implemented by the server, an object
/// for each session; its add() takes no lock while all is well.
class SharedJournal {
 public:
  virtual ~SharedJournal() = default;
  /// The session has journaled more. The limit that ends it, if one does: journal_bytes, since its
  /// user's sessions have journaled too much in this minute, or all_journal_bytes, since it has the
  /// largest part of too much.
  virtual std::optional<Limit> add(std::size_t bytes, std::int64_t now_ms) = 0;
};

/// 0: no limit.
struct BudgetLimits {
  std::int64_t max_duration_ms = 0;
  std::int64_t idle_timeout_ms = 0;
  std::int64_t notice_ms = 0;  ///< of the two clocks: how long before; 0: not told
  std::int64_t audio_ms = 0;
  std::int64_t tokens = 0;
  std::int64_t user_audio_ms = 0;
  std::int64_t user_tokens = 0;
  std::int64_t journal_bytes_per_minute = 0;
  std::shared_ptr<SharedJournal> shared_journal;  ///< null: all together have no limit
  int warn_percent = 80;  ///< of the budgets: when it is told; 100: not told
};

class Budget {
 public:
  /// `shared` may be null: then the user's limits are not looked at. `now_ms` is monotonic.
  Budget(const BudgetLimits& limits, std::shared_ptr<SharedUsage> shared, std::int64_t now_ms);

  /// Something to say (`reached` false: a client that listens is told), or to do (true: it ends).
  struct Notice {
    Limit limit = Limit::max_duration;
    bool reached = false;
    std::int64_t used = 0;  ///< milliseconds, or tokens
    std::int64_t most = 0;
  };

  /// Whether somebody is there who wants to be told before. Not before this is said.
  void listen(bool listens) { listens_ = listens; }
  /// Somebody spoke, wrote or answered: no raw microphone frames.
  void active(std::int64_t now_ms);
  /// What was used up to now, all in all. To be asked until it has nothing more to say.
  std::optional<Notice> spent(const Usage& all);
  /// So much was journaled, at this time of the monotonic clock. What has been reached, if anything
  /// has.
  std::optional<Notice> journaled(std::size_t bytes, std::int64_t now_ms);
  /// The session is over: what is left is handed on to the user's account.
  void hand_on(const Usage& all);
  /// To be asked until it has nothing more to say, too.
  std::optional<Notice> time_passed(std::int64_t now_ms);
  /// When time_passed() will next have something to say.
  std::int64_t next_deadline_ms() const;

  /// How often each limit was told of, by its number.
  const std::array<std::uint32_t, limit_count>& warnings() const { return warnings_; }
  /// Which ended the conversation, if one did.
  std::optional<Limit> reached() const { return reached_; }

 private:
  std::optional<Notice> amount(Limit limit, std::int64_t used, std::int64_t most);
  std::optional<Notice> clock(Limit limit, std::int64_t since_ms, std::int64_t most,
                              std::int64_t now_ms);
  std::int64_t notice_before(Limit limit, std::int64_t most) const;
  std::optional<Notice> judged(Notice notice, bool near);
  bool claim_warning(Limit limit);

  BudgetLimits limits_;
  std::shared_ptr<SharedUsage> shared_;
  std::int64_t started_ms_;
  std::int64_t active_ms_;
  bool listens_ = false;
  std::int64_t journal_minute_ms_;  ///< when the present minute of the journal began
  std::int64_t journal_bytes_ = 0;  ///< in that minute
  Usage handed_on_;                 ///< to `shared_`
  Usage users_;                     ///< what that last said
  std::array<bool, limit_count> told_{};
  std::array<std::uint32_t, limit_count> warnings_{};
  std::optional<Limit> reached_;
};

}  // namespace verbatim::session
