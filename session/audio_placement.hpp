// Places recorded audio in time (docs/recording.md). Time is counted in samples, never in
// arrivals: audio that comes late and then in a burst must not become longer.
//
// - The user's track goes on as its samples come. Silence that the client did not send is a gap:
//   the new run begins later. The gap is the least lateness within `settle_ms`, so a burst after a
//   stall is none.
// - An item of the assistant begins when its first audio was sent, but not before the end of the
//   audio that is being played.
//
// Pure; one thread. Times are milliseconds since the attempt began, offsets are bytes of the
// track's file. Each input returns the runs that are new or have changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "session/transcript/event.hpp"

namespace verbatim::session {

class AudioPlacement {
 public:
  using Runs = std::vector<transcript::AudioPlaced>;

  /// Audio this much later than its place begins a new run. Jitter of a network is shorter.
  static constexpr std::int64_t gap_min_ms = 60;
  /// How long the lateness is watched before a gap is certain. Bursts are over by then.
  static constexpr std::int64_t settle_ms = 2000;
  /// A later gap is noted before it is certain, so that a killed process loses no long one.
  static constexpr std::int64_t early_note_ms = 500;
  /// Runs that truncation and sending still find. A client has few answers under way.
  static constexpr std::size_t runs_kept_max = 64;

  /// Both tracks go on at these sizes of their files.
  AudioPlacement(std::int64_t user_bytes, std::int64_t assistant_bytes)
      : user_bytes_(user_bytes),
        base_(user_bytes),
        run_from_(user_bytes),
        uncommitted_from_(user_bytes),
        assistant_bytes_(assistant_bytes) {}

  // --- the user's track ---
  /// `bytes` were appended at `now_ms`.
  Runs user_audio(std::int64_t bytes, const transcript::AudioFormat& format, std::int64_t now_ms);
  /// Another connection to the provider: its clock begins with the audio that follows.
  void upstream_opened() { base_ = user_bytes_; }
  void speech_started(const std::string& item_id, std::int64_t audio_start_ms);
  Runs speech_stopped(const std::string& item_id, std::int64_t audio_end_ms);
  /// The provider made an item of the audio so far.
  Runs committed(const std::string& item_id);
  /// The provider dropped the audio so far.
  void cleared();

  // --- the assistant's track ---
  /// Audio of an item was appended. `received_us`: the message's time, which sent() repeats.
  /// `attached`: the client is there.
  Runs answer_audio(const std::string& item_id, std::int64_t bytes,
                    const transcript::AudioFormat& format, std::int64_t received_us, bool attached,
                    std::int64_t now_ms);
  bool awaits_sending() const { return unsent_ > 0; }
  /// The client was sent the audio that came at `received_us`.
  Runs sent(std::int64_t received_us, std::int64_t now_ms);
  /// The client heard only the first `audio_end_ms` of the item.
  Runs truncated(const std::string& item_id, std::int64_t audio_end_ms);
  /// Audio that was not sent yet never will be.
  Runs skip_unsent();
  /// The audio that follows begins a new run: there is a break before it.
  void break_answer() { open_ = false; }

  /// The end: settles what was open.
  Runs finish();
  /// Both tracks end here, because a file failed.
  Runs stopped(std::int64_t now_ms) const;

 private:
  /// A run of the assistant's track.
  struct Run {
    std::string item_id;
    std::int64_t from = 0;
    std::int64_t bytes = 0;   ///< so far
    std::int64_t before = 0;  ///< bytes of the item in earlier runs
    transcript::AudioFormat format;
    std::int64_t received_us = 0;
    std::int64_t at_ms = -1;  ///< -1: not sent
    std::int64_t heard = -1;  ///< bytes; -1: all
    std::int64_t end_ms() const;
    transcript::AudioPlaced placed() const;
  };
  /// Watches how late the user's audio is, from a place that may begin a new run.
  struct Watch {
    std::int64_t from = 0;
    std::int64_t since_ms = 0;
    std::int64_t least_ms = 0;
    bool noted = false;
  };

  std::int64_t user_end_ms(std::int64_t offset) const;
  transcript::AudioPlaced user_run(std::int64_t from, std::int64_t at_ms) const;
  void settle(Runs& changed);
  void forget_caught_up(Runs& changed);
  std::int64_t at_provider_ms(std::int64_t ms) const;
  Runs utterance(const std::string& item_id, std::int64_t from, std::int64_t to);
  void place(Run& run, std::int64_t now_ms);
  bool goes_on(const std::string& item_id, const transcript::AudioFormat& format,
               std::int64_t now_ms) const;

  std::int64_t user_bytes_ = 0;
  std::int64_t base_ = 0;  ///< the provider's clock of the user's audio begins here
  transcript::AudioFormat user_format_;
  std::int64_t run_from_ = 0;
  std::int64_t run_at_ms_ = 0;
  bool any_user_ = false;
  /// In the order of their places. Each has a gap of at least gap_min_ms before it, so there are
  /// few.
  std::deque<Watch> watches_;
  std::string speech_item_;
  std::int64_t speech_from_ = 0;
  std::int64_t uncommitted_from_ = 0;
  std::string marked_item_;  ///< its speech has been marked

  std::int64_t assistant_bytes_ = 0;
  std::deque<Run> runs_;    ///< the latest; those not sent are at the end
  std::size_t unsent_ = 0;  ///< of them
  bool open_ = false;       ///< the last one may grow
  std::int64_t played_until_ms_ = 0;
  std::string truncated_item_;
};

}  // namespace verbatim::session
