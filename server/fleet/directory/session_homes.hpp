// Knows where sessions live, by the fleet's database: a thread and a connection of its own.
// Questions that come together are one statement. After a failed try to connect all homes are
// unknown, at once, until a connection is made.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/line_limit.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/fleet/database/lasting_connection.hpp"
#include "server/fleet/directory/home_queries.hpp"
#include "server/relay/peers.hpp"

namespace verbatim::directory {

class SessionHomes final : public relay::SessionDirectory {
 public:
  /// `incarnation`: this node's, as soon as it has registered; else 0. Any thread.
  SessionHomes(const config::Fleet& settings, std::function<std::int64_t()> incarnation, Log& log);
  /// Answers what waits with `unknown`.
  ~SessionHomes() override;
  SessionHomes(const SessionHomes&) = delete;
  SessionHomes& operator=(const SessionHomes&) = delete;

  void find(const std::string& session_id, relay::Purpose purpose,
            std::function<void(relay::SessionHome)> done) override;
  void forget(const std::string& session_id) override;
  std::int64_t incarnation() const override { return incarnation_(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Question {
    std::string session_id;
    relay::Purpose purpose;
    std::function<void(relay::SessionHome)> done;
  };
  struct Cached {
    relay::SessionHome home;
    Clock::time_point until;
  };

  void run();
  bool is_stopping();
  std::vector<Question> next_questions();
  void answer(std::vector<Question> questions);
  database::DatabaseResult<Homes> ask(const std::vector<Question>& questions);
  database::DatabaseResult<Homes> ask_once(const std::vector<Question>& questions);
  database::DatabaseResult<Homes> homes_of(const std::vector<Question>& questions,
                                           std::int64_t own);
  database::DatabaseResult<> connect();
  void report(const database::DatabaseError& error);
  void keep(const Homes& homes);
  std::optional<relay::SessionHome> cached(const std::string& session_id);

  const std::function<std::int64_t()> incarnation_;
  Log& log_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Question> waiting_;
  std::unordered_map<std::string, Cached> cache_;
  bool stopping_ = false;
  std::atomic<bool> down_{false};  ///< the last try to connect failed

  // Of the thread alone.
  database::LastingConnection connection_;
  Clock::time_point clean_at_{};
  LineLimit trouble_line_{1, std::chrono::seconds(10)};
  std::thread thread_;
};

}  // namespace verbatim::directory
