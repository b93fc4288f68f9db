// Looks after the place where conversations are kept: whether the journal works, how much room is
// left. Says so once in the log, counts it, wakes or ends the conversations that it concerns, and
// knows why nobody new is admitted.
//
// Told by the journal's thread, looks on the control thread, asked from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "server/log.hpp"
#include "server/metrics.hpp"
#include "server/registry.hpp"
#include "server/worker.hpp"
#include "storage/sqlite_journal.hpp"

namespace verbatim::server {

class StorageWatch final : public storage::JournalListener {
 public:
  /// `on_end`: the journal has failed for good; called on the journal's or the control thread.
  StorageWatch(const config::Settings& settings, std::filesystem::path data_dir,
               const std::vector<std::unique_ptr<Worker>>& workers, Registry& registry,
               Metrics& metrics, Log& log, std::function<void()> on_end);

  /// Before anything else is asked.
  void watch(storage::SqliteJournal& journal) { journal_ = &journal; }
  /// What a recovery found of the logs.
  void found(const std::vector<storage::LogFinding>& logs);
  /// To be called a few times a second, on the control thread.
  void look();

  /// Why nobody new is admitted; empty if all is well.
  std::string refusal() const;
  StorageGauges gauges() const;
  std::filesystem::path ballast() const { return data_dir_ / "ballast"; }

  void on_durable(session::Sequence up_to) override;
  void on_failed(storage::Failure failure, const std::string& message) override;
  void on_trouble(storage::JournalState state, const storage::StorageError& why) override;
  void on_healed() override;

 private:
  enum class Space { enough, low, too_low };

  void look_at_space();
  void keep_ballast(std::uintmax_t free, std::uintmax_t capacity);

  const config::Settings& settings_;
  const std::filesystem::path data_dir_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  Registry& registry_;
  Metrics& metrics_;
  Log& log_;
  const std::function<void()> on_end_;
  storage::SqliteJournal* journal_ = nullptr;

  std::atomic<Space> space_{Space::enough};
  std::atomic<std::uint64_t> free_bytes_{0};
  std::atomic<std::uint64_t> stalls_{0};
  bool ballast_refused_ = false;
};

}  // namespace verbatim::server
