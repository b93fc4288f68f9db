// Transcribes recorded speech again if the provider could not (docs/recording.md, Repair). It finds
// final attempts whose user turns lack text, and sends each utterance to an engine. The answer is
// stored as a copy of the writer `repair`; the merge decides whether a transcript shows it.
//
// The work is derived from stored rows, so it goes on after any end of the process. One thread of
// its own does it, an utterance at a time; nothing else waits for it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/blocking_calls.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/relay/audio_sender.hpp"
#include "server/relay/recordings.hpp"
#include "server/repair/engine.hpp"
#include "server/repair/queue.hpp"
#include "server/repair/transcription.hpp"
#include "server/repair/utterance.hpp"
#include "storage/store/recording_store.hpp"
#include "storage/store/repair_store.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::relay {
class MetricsPage;
}  // namespace verbatim::relay

namespace verbatim::repair {

struct RepairStores {
  store::SessionStore& sessions;
  store::CopyStore& copies;
  store::RecordingStore& recorded;
  store::RepairStore& repairs;
};

class Repairs final : public relay::AudioSender {
 public:
  /// Starts the thread. All references must outlive it. Throws std::runtime_error if libcurl cannot
  /// be initialised.
  Repairs(const config::Repair& settings, RepairStores stores, relay::Recordings& recordings,
          Log& log);
  /// Null if repair.url is empty or there are no recordings.
  static std::unique_ptr<Repairs> start_if_any(const config::Repair& settings, RepairStores stores,
                                               relay::Recordings* recordings, Log& log);
  ~Repairs() override;
  /// Ends the thread; a call in progress is aborted. hold() and release() can still be called.
  void stop();

  // Any thread.
  /// An operator asked for the attempt: it is tried at once, and as often as a new one.
  void ask(const store::RepairableAttempt& attempt, store::Done<> done);
  void hold(const std::string& session_id, std::function<void()> done) override;
  void release(const std::string& session_id) override { queue_.release(session_id); }
  /// `repairs`: null: there are none.
  static void add_metrics(relay::MetricsPage& page, const Repairs* repairs);

 private:
  using Clock = Queue::Clock;
  /// One attempt in hand: its index of audio, and the utterances that lack text.
  struct Work;
  /// How one utterance went.
  enum class Step { repaired, tried, cannot, stopped };

  void run();
  void look_for_more();
  void work(Queue::Job job);
  std::optional<Work> open(const Queue::Job& job);
  Step try_one(Work& work, const Utterance& utterance);
  std::optional<std::string> audio_of(const Work& work, const Utterance& utterance);
  std::optional<std::string> read_file(const relay::RecordedAudio& audio, bool& silent);
  Step ask_engines(Work& work, const Utterance& utterance, const std::string& wav);
  bool note_try(const Work& work, const Utterance& utterance, bool another);
  Step keep(const Work& work, const Utterance& utterance, std::string text);
  void given_up(const Work& work, const Utterance& utterance);
  void do_not_send(const Work& work, const Utterance& utterance, const std::string& why);
  void count(Outcome outcome) { ++counts_[static_cast<std::size_t>(outcome)]; }
  bool any_engine_is_ready() const;
  Clock::time_point an_engine_is_ready_at() const;
  Clock::time_point next_try(int tries);

  const config::Repair settings_;
  const RepairStores stores_;
  relay::Recordings& recordings_;
  Log& log_;
  Queue queue_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::array<std::atomic<std::uint64_t>, outcome_count> counts_{};
  BlockingCalls calls_;  ///< of the stores and of the recordings

  // The thread's own.
  store::RepairCursor looked_up_to_;
  Clock::time_point next_look_{};
  bool troubled_ = false;  ///< the store cannot be read, and the log says so
  std::thread thread_;
};

}  // namespace verbatim::repair
