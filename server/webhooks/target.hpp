// Delivers the messages of the outbox to one webhook target, at least once.
//
// Each session is a lane: its messages are sent in order, one at a time. Up to `webhook.lanes`
// sessions are sent at once. A session that waits for its next try is in the store alone, and
// occupies nothing here.
//
// One thread does everything: it reads the store on its own connection, and sends with
// WebhookCalls. Results of the store's changes come to it through a queue.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/webhooks/call.hpp"
#include "server/webhooks/delivery_observer.hpp"
#include "server/webhooks/webhook_gauges.hpp"
#include "storage/store/webhook_store.hpp"

namespace verbatim::webhooks {

class Target {
 public:
  /// All references must outlive the object. `observer`: may be null. Throws std::runtime_error if
  /// libcurl cannot be initialised.
  Target(const config::WebhookTarget& target, std::shared_ptr<const config::Webhook> settings,
         store::WebhookStore& store, DeliveryObserver* observer, Log& log);
  /// Aborts calls in progress; the next start repeats calls without a stored result.
  ~Target();

  /// Starts the thread.
  /// `before`: the target of the same name under earlier settings; null: there is none. Its calls
  /// in progress come to their outcome first, so that no message is sent by both.
  void start(std::unique_ptr<Target> before);

  const std::string& name() const { return target_.name; }
  void set_secret(const Secret& secret);
  /// Any thread.
  WebhookGauges gauges() const;

 private:
  using Wait = std::chrono::milliseconds;
  using Steady = std::chrono::steady_clock::time_point;

  /// Functions that the store's threads leave for this object's thread.
  class Results;

  /// A message from the begin of its try to the record of the outcome.
  struct Flight {
    store::WebhookMessage message;
    TimeMs called_at = 0;          ///< 0: the call has not begun
    std::string traceparent = {};  ///< header of the call; empty: nothing watches it
  };

  void run();
  void take_over();
  void abort();
  bool is_over() const;
  WebhookGauges own_gauges() const;
  void look();
  void prepare_start();
  void finish_received(std::int64_t after);
  void count();
  void expire(Steady at);
  void search();
  void search_due();
  void search_new();
  void begin_tries();
  void send_begun();
  std::optional<Wait> time_to_next_look() const;

  /// Takes the message of a free lane: it is tried, put off or passed over.
  void take(store::WebhookMessage message);
  void put_off(const store::WebhookMessage& message, TimeMs due_at);
  void pass_over(const store::WebhookMessage& message);
  void begin_try(store::WebhookMessage message);
  void send(Flight& flight, std::string body);
  void answered(std::int64_t id, CallAnswer answer);
  store::TryOutcome outcome_of(const Flight& flight, const CallAnswer& answer);
  TimeMs next_try_at(const store::WebhookMessage& message, const CallAnswer& answer);
  void count_call(const CallAnswer& answer);
  /// The lane goes on with its next message, or is free.
  void leave(const store::WebhookMessage& message);
  /// The store failed: the lane is free, and the message is found again.
  void drop(const store::WebhookMessage& message, const char* why);
  void report_trouble(const char* why);

  /// When an end is due that was never tried: other writers post copies in the moments after it.
  TimeMs settled_at(const store::WebhookMessage& message) const;
  bool is_due(TimeMs due_at) const;
  TimeMs longest_wait() const;
  std::size_t ready() const { return fresh_.size() + again_.size(); }
  std::size_t again_max() const;
  bool has_room() const;
  std::vector<std::int64_t> lanes_in_use() const;
  std::int64_t first_open() const;
  std::string secrets() const;

  template <class T, class Read>
  T read(const Read& read);
  store::Done<> result(const store::WebhookMessage& message, std::function<void()> then);

  config::WebhookTarget target_;
  const unsigned wanted_;
  const std::shared_ptr<const config::Webhook> all_settings_;
  const config::Webhook& settings_ = *all_settings_;
  const std::unique_ptr<store::WebhookOutbox> outbox_;
  DeliveryObserver* const observer_;  ///< null: nothing watches the calls
  Log& log_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> finishing_{false};  ///< a successor waits: no further call begins
  WebhookCalls calls_;
  const std::shared_ptr<Results> results_;

  // The state of the thread.
  std::int64_t searched_ = 0;  ///< messages up to this were tried, are held, or follow a held one
  bool more_ = false;          ///< a search ended before it had found everything
  bool prepared_ = false;
  Steady next_look_{};
  Steady resume_at_{};  ///< after trouble with the store
  Steady count_next_{};
  Steady expire_next_{};
  std::set<std::int64_t> lanes_;             ///< sessions with a message below
  std::deque<store::WebhookMessage> fresh_;  ///< ready to be tried for the first time
  std::deque<store::WebhookMessage> again_;  ///< ready to be tried again
  std::unordered_map<std::int64_t, Flight> flights_;
  std::size_t flights_again_ = 0;   ///< of them, those that were tried before
  std::deque<std::int64_t> begun_;  ///< flights that wait to be sent
  std::size_t sending_ = 0;
  std::mt19937_64 random_{std::random_device{}()};

  // Read by other threads.
  mutable std::mutex secret_mutex_;
  mutable std::mutex before_mutex_;
  std::unique_ptr<Target> before_;  ///< null once it is over
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> dead_{0};
  std::atomic<std::uint64_t> waiting_{0};
  std::atomic<std::uint64_t> buried_{0};
  std::atomic<std::int64_t> oldest_{0};  ///< creation time of the oldest waiting message
  std::array<std::atomic<std::uint64_t>, call_seconds_buckets> calls_of_{};
  std::atomic<std::uint64_t> call_ms_{0};

  std::thread thread_;
};

}  // namespace verbatim::webhooks
