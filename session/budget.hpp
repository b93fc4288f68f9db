// How much a session may use and how long it may last. Reports a limit that is near (a warning,
// sent once) and a limit that is reached (the session ends).
//
// Pure: time is an argument. One thread; the totals that sessions share are behind interfaces.
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

/// The numbers are indices into the arrays of warnings and into the metrics.
enum class Limit : std::uint8_t {
  max_duration = 0,
  idle_timeout = 1,
  audio_seconds = 2,       ///< of this session
  tokens = 3,              ///< of this session
  user_audio_seconds = 4,  ///< of all sessions that the user began on this day
  user_tokens = 5,
  journal_bytes = 6,      ///< journaled by this session in a minute, or by all sessions of its user
  all_journal_bytes = 7,  ///< journaled by all sessions in a minute; this one has the largest part
};
inline constexpr std::size_t limit_count = 8;
inline constexpr std::array<Limit, limit_count> all_limits = {
    Limit::max_duration,       Limit::idle_timeout, Limit::audio_seconds, Limit::tokens,
    Limit::user_audio_seconds, Limit::user_tokens,  Limit::journal_bytes, Limit::all_journal_bytes};
std::string_view to_string(Limit limit);
/// The reason with which a session ends at this limit: `policy` for a budget; each of the two
/// clocks has its own reason.
transcript::CloseReason close_reason(Limit limit);
/// Message for the client: the name of the limit and what was reached.
std::string reached(Limit limit);

/// Total usage of all sessions of one user. The server implements it. add() may be called from the
/// threads of several sessions at once and takes no lock.
class SharedUsage {
 public:
  virtual ~SharedUsage() = default;
  /// Returns the total after the addition.
  virtual transcript::Usage add(std::int64_t audio_ms, std::int64_t tokens) = 0;
};

/// Bytes that sessions journal: those of one user, and those of all users. The server implements
/// it, with one object for each session. add() takes no lock while no limit is near.
class SharedJournal {
 public:
  virtual ~SharedJournal() = default;
  /// Adds the bytes that the session has journaled. Returns the limit that ends the session, if
  /// any:
  /// - journal_bytes: the user's sessions have journaled too much in this minute;
  /// - all_journal_bytes: all sessions have journaled too much, and this one has the largest part.
  virtual std::optional<Limit> add(std::size_t bytes, std::int64_t now_ms) = 0;
};

/// In each field, 0 means no limit.
struct BudgetLimits {
  std::int64_t max_duration_ms = 0;
  std::int64_t idle_timeout_ms = 0;
  /// for the two clocks: time between the warning and the end; 0: no warning
  std::int64_t notice_ms = 0;
  std::int64_t audio_ms = 0;
  std::int64_t tokens = 0;
  std::int64_t user_audio_ms = 0;
  std::int64_t user_tokens = 0;
  std::int64_t journal_bytes_per_minute = 0;
  std::shared_ptr<SharedJournal> shared_journal;  ///< null: no limit on the total of all sessions
  int warn_percent = 100;  ///< share of a budget at which its warning is sent; 100: no warning
};

class Budget {
 public:
  /// `shared` may be null: then the user's limits are not checked. `now_ms` is monotonic.
  Budget(const BudgetLimits& limits, std::shared_ptr<SharedUsage> shared, std::int64_t now_ms);

  /// `reached` false: a warning for a client that has asked for extension events. True: the session
  /// ends.
  struct Notice {
    Limit limit = Limit::max_duration;
    bool reached = false;
    std::int64_t used = 0;  ///< milliseconds, or tokens
    std::int64_t most = 0;
  };

  /// The session began `elapsed_ms` ago, in an earlier process.
  void began_before(std::int64_t elapsed_ms) { started_ms_ -= elapsed_ms; }
  /// Whether a client is attached that has asked for warnings. None is given before the first call.
  void listen(bool listens) { listens_ = listens; }
  /// Restarts the idle timeout: a client event or an answer came. Raw microphone frames do not
  /// count.
  void active(std::int64_t now_ms);
  /// Takes the total usage so far. Call it again until it returns nullopt.
  std::optional<Notice> spent(const transcript::Usage& all);
  /// Adds bytes journaled at `now_ms` (monotonic). Returns the limit that is reached, if any.
  std::optional<Notice> journaled(std::size_t bytes, std::int64_t now_ms);
  /// The session has ended: adds the rest of its usage to the user's total.
  void hand_on(const transcript::Usage& all);
  /// Checks the two clocks. Call it again until it returns nullopt.
  std::optional<Notice> time_passed(std::int64_t now_ms);
  /// Monotonic time at which time_passed() next returns a notice.
  std::int64_t next_deadline_ms() const;

  /// Number of warnings given, indexed by limit.
  const std::array<std::uint32_t, limit_count>& warnings() const { return warnings_; }
  /// The limit that ended the session, if one did.
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
  std::int64_t journal_minute_ms_;  ///< start of the current minute of the journal
  std::int64_t journal_bytes_ = 0;  ///< journaled in that minute
  transcript::Usage handed_on_;     ///< the part already added to `shared_`
  transcript::Usage users_;         ///< the user's total, as `shared_` last returned it
  std::array<bool, limit_count> notified_{};
  std::array<std::uint32_t, limit_count> warnings_{};
  std::optional<Limit> reached_;
};

}  // namespace verbatim::session
