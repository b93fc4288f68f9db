#include "session/budget.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/enum_names.hpp"

namespace verbatim::session {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

/// Audio arrives fifty times a second: add to the user's shared total only once per this much
/// audio.
constexpr std::int64_t shared_step_ms = 500;
constexpr std::int64_t minute_ms = 60'000;

constexpr Name<Limit> limits_by_name[] = {
    {Limit::max_duration, "max_duration"},
    {Limit::idle_timeout, "idle_timeout"},
    {Limit::audio_seconds, "audio_seconds"},
    {Limit::tokens, "tokens"},
    {Limit::user_audio_seconds, "user_audio_seconds"},
    {Limit::user_tokens, "user_tokens"},
    {Limit::journal_bytes, "journal_bytes"},
    {Limit::all_journal_bytes, "all_journal_bytes"},
};

std::size_t index(Limit limit) { return static_cast<std::size_t>(limit); }

}  // namespace

std::string_view to_string(Limit limit) { return name_of(limit, limits_by_name); }

transcript::CloseReason close_reason(Limit limit) {
  switch (limit) {
    case Limit::max_duration:
      return transcript::CloseReason::max_duration;
    case Limit::idle_timeout:
      return transcript::CloseReason::idle_timeout;
    case Limit::audio_seconds:
    case Limit::tokens:
    case Limit::user_audio_seconds:
    case Limit::user_tokens:
    case Limit::journal_bytes:
    case Limit::all_journal_bytes:
      return transcript::CloseReason::policy;
  }
  return transcript::CloseReason::policy;
}

std::string reached(Limit limit) {
  switch (limit) {
    case Limit::max_duration:
      return "max_duration: the session reached its longest duration";
    case Limit::idle_timeout:
      return "idle_timeout: no speech or text came in time";
    case Limit::audio_seconds:
      return "audio_seconds: the session reached its audio limit";
    case Limit::tokens:
      return "tokens: the session reached its token limit";
    case Limit::user_audio_seconds:
      return "user_audio_seconds: the user's sessions reached the audio limit of this day";
    case Limit::user_tokens:
      return "user_tokens: the user's sessions reached the token limit of this day";
    case Limit::journal_bytes:
      return "journal_bytes: the user's sessions reached the limit of journal bytes per minute";
    case Limit::all_journal_bytes:
      return "all_journal_bytes: all sessions together reached the limit of journal bytes per "
             "minute, and this session wrote the most";
  }
  return {};
}

Budget::Budget(const BudgetLimits& limits, std::shared_ptr<SharedUsage> shared, std::int64_t now_ms)
    : limits_(limits),
      shared_(std::move(shared)),
      started_ms_(now_ms),
      active_ms_(now_ms),
      journal_minute_ms_(now_ms) {}

void Budget::active(std::int64_t now_ms) {
  active_ms_ = now_ms;
  notified_[index(Limit::idle_timeout)] = false;  // the next silence gets a warning of its own
}

std::optional<Budget::Notice> Budget::spent(const transcript::Usage& all) {
  if (reached_) return std::nullopt;
  if (auto notice = amount(Limit::audio_seconds, all.audio_ms(), limits_.audio_ms)) return notice;
  if (auto notice = amount(Limit::tokens, all.total_tokens, limits_.tokens)) return notice;
  if (!shared_) return std::nullopt;
  const bool enough = all.audio_ms() - handed_on_.audio_ms() >= shared_step_ms;
  if (enough || all.total_tokens > handed_on_.total_tokens) hand_on(all);
  if (auto notice = amount(Limit::user_audio_seconds, users_.audio_ms(), limits_.user_audio_ms))
    return notice;
  return amount(Limit::user_tokens, users_.total_tokens, limits_.user_tokens);
}

std::optional<Budget::Notice> Budget::journaled(std::size_t bytes, std::int64_t now_ms) {
  if (reached_) return std::nullopt;
  if (now_ms - journal_minute_ms_ >= minute_ms) {
    journal_minute_ms_ = now_ms;
    journal_bytes_ = 0;
  }
  journal_bytes_ += static_cast<std::int64_t>(bytes);
  const std::int64_t most = limits_.journal_bytes_per_minute;
  Notice notice{Limit::journal_bytes, most > 0 && journal_bytes_ > most, journal_bytes_, most};
  if (limits_.shared_journal) {
    const auto shared = limits_.shared_journal->add(bytes, now_ms);
    if (shared && !notice.reached) notice.limit = *shared;
    notice.reached = notice.reached || shared;
  }
  return judged(notice, false);
}

void Budget::hand_on(const transcript::Usage& all) {
  if (!shared_) return;
  users_ = shared_->add(all.audio_ms() - handed_on_.audio_ms(),
                        all.total_tokens - handed_on_.total_tokens);
  handed_on_ = all;
}

std::optional<Budget::Notice> Budget::time_passed(std::int64_t now_ms) {
  if (reached_) return std::nullopt;
  if (auto notice = clock(Limit::max_duration, started_ms_, limits_.max_duration_ms, now_ms))
    return notice;
  return clock(Limit::idle_timeout, active_ms_, limits_.idle_timeout_ms, now_ms);
}

std::int64_t Budget::next_deadline_ms() const {
  std::int64_t next = never;
  const auto consider = [&](Limit limit, std::int64_t since_ms, std::int64_t most) {
    if (most <= 0) return;
    const std::int64_t before = notice_before(limit, most);
    const bool to_notify = before > 0 && !notified_[index(limit)];
    next = std::min(next, since_ms + most - (to_notify ? before : 0));
  };
  consider(Limit::max_duration, started_ms_, limits_.max_duration_ms);
  consider(Limit::idle_timeout, active_ms_, limits_.idle_timeout_ms);
  return next;
}

/// The idle warning comes at the earliest after half of the timeout. The next deadline after
/// activity is then always later than the one before.
std::int64_t Budget::notice_before(Limit limit, std::int64_t most) const {
  if (!listens_) return 0;
  return std::min(limits_.notice_ms, limit == Limit::idle_timeout ? most / 2 : most);
}

std::optional<Budget::Notice> Budget::clock(Limit limit, std::int64_t since_ms, std::int64_t most,
                                            std::int64_t now_ms) {
  if (most <= 0) return std::nullopt;
  const std::int64_t used = now_ms - since_ms;
  const std::int64_t before = notice_before(limit, most);
  return judged({limit, used >= most, std::min(used, most), most},
                before > 0 && used >= most - before);
}

/// If a limit comes near and is reached at once, the warning still comes first.
std::optional<Budget::Notice> Budget::judged(Notice notice, bool near) {
  if (near && claim_warning(notice.limit)) {
    notice.reached = false;
    return notice;
  }
  if (!notice.reached) return std::nullopt;
  reached_ = notice.limit;
  return notice;
}

std::optional<Budget::Notice> Budget::amount(Limit limit, std::int64_t used, std::int64_t most) {
  if (most <= 0) return std::nullopt;
  const bool warns = listens_ && limits_.warn_percent < 100;
  return judged({limit, used >= most, used, most},
                warns && used * 100 >= most * limits_.warn_percent);
}

bool Budget::claim_warning(Limit limit) {
  if (std::exchange(notified_[index(limit)], true)) return false;
  ++warnings_[index(limit)];
  return true;
}

}  // namespace verbatim::session
