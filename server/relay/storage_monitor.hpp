// Watches the storage: whether the journal works and how much space is left. Logs and counts each
// change, notifies or ends the affected conversations, and knows why new sessions are refused.
//
// The journal's thread reports to it, look() runs on the control thread, and any thread may query
// it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/worker.hpp"
#include "storage/store/health.hpp"

namespace verbatim::relay {

class MetricsPage;
class ShippingHealth;

/// The values of the storage metrics. Counts are since the start.
struct StorageGauges {
  static constexpr std::size_t failure_kinds = static_cast<std::size_t>(store::Failure::other) + 1;

  store::JournalState state = store::JournalState::working;
  std::size_t queue_bytes = 0;
  std::size_t log_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t stalls = 0;
  bool log_large = false;  ///< beyond journal.log_bytes_max
  std::uint64_t reads_broken_off = 0;
  std::array<std::uint64_t, failure_kinds> failures{};  ///< by store::Failure
  store::JournalStats written;
  std::vector<store::LogFinding> found_logs;  ///< by the recovery at the start
};

class StorageWatch final : public store::JournalListener {
 public:
  /// All references must outlive it.
  /// `data_dir`: the data directory.
  /// `workers`: their sessions are notified when the journal moves.
  /// `on_end`: called when the journal has failed for good, on the journal's or the control thread.
  /// `on_recover`: called on the journal's thread when the journal works again.
  StorageWatch(const config::LiveSettings& settings, std::filesystem::path data_dir,
               const std::vector<std::unique_ptr<Worker>>& workers, Registry& registry, Log& log,
               std::function<void()> on_end, std::function<void()> on_recover);

  /// Sets the store. Call it first. The store's reads may keep its write-ahead log from being
  /// reset, and are aborted then if they last too long.
  void watch(store::StoreHealth& store) { store_ = &store; }
  /// The store's stream also goes to a fleet's database, which may refuse new sessions, too.
  void ship_with(const ShippingHealth& shipping) { shipping_ = &shipping; }
  /// The store was opened without its journal: no session is admitted until caught_up(), because
  /// its conversations and tokens are not known before.
  void begin_without_store() { behind_ = true; }
  void caught_up() { behind_ = false; }
  /// Logs what recovery found in the write-ahead logs.
  void found(const std::vector<store::LogFinding>& logs);
  /// Call it a few times a second, on the control thread.
  void look();

  /// Why new sessions are refused; empty if they are admitted.
  std::string refusal() const;
  /// The same, without what concerns a fleet's database.
  std::string journal_refusal() const;
  /// Null without a fleet.
  const ShippingHealth* shipping() const { return shipping_; }
  /// A problem that does not yet prevent admission; empty if there is none.
  std::string warning() const;
  /// Any thread.
  void add_metrics(MetricsPage& page) const;
  std::filesystem::path ballast() const { return data_dir_ / "ballast"; }

  void on_durable(transcript::Sequence up_to) override;
  void on_failed(store::Failure failure, const std::string& message) override;
  void on_trouble(store::JournalState state, const store::StorageError& why) override;
  void on_recovered() override;

 private:
  enum class Space { enough, low, too_low };

  enum class LogSize { small, large, too_large };

  StorageGauges gauges() const;
  void count(store::Failure failure) { ++failures_[static_cast<std::size_t>(failure)]; }
  void look_at_space();
  void look_at_log();
  std::string who_reads() const;
  std::string log_in_words() const;
  std::string refusal_of_log() const;
  void keep_ballast(std::uintmax_t free, std::uintmax_t capacity);

  const config::LiveSettings& settings_;
  const std::filesystem::path data_dir_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  Registry& registry_;
  Log& log_;
  const std::function<void()> on_end_;
  const std::function<void()> on_recover_;
  store::StoreHealth* store_ = nullptr;
  const ShippingHealth* shipping_ = nullptr;

  std::atomic<LogSize> log_size_{LogSize::small};
  mutable std::mutex mutex_;
  std::string readers_;  ///< readers of a log that is too large
  net::Clock::time_point next_readers_look_{};
  std::atomic<std::uint64_t> reads_broken_off_{0};

  std::atomic<bool> behind_{false};
  std::atomic<Space> space_{Space::enough};
  std::atomic<std::uint64_t> free_bytes_{0};
  std::atomic<std::uint64_t> stalls_{0};
  bool ballast_refused_ = false;

  std::array<std::atomic<std::uint64_t>, StorageGauges::failure_kinds> failures_{};
  mutable std::mutex scrape_;            ///< one scrape at a time; no session's path takes it
  mutable store::JournalStats written_;  ///< grows at each scrape
  std::vector<store::LogFinding> found_logs_;
};

}  // namespace verbatim::relay
