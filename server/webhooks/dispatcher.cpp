#include "server/webhooks/dispatcher.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <thread>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/thread_name.hpp"
#include "server/webhooks/call.hpp"
#include "server/webhooks/signature.hpp"
#include "server/webhooks/webhook_metrics.hpp"

namespace verbatim::webhooks {

namespace {

using nlohmann::json;
using store::DeliveryState;
using store::MessageKind;

/// Interval of the search for new messages. Polling costs the conversations nothing.
constexpr auto outbox_look_interval = std::chrono::milliseconds(200);
/// Interval while the store cannot be read or written.
constexpr auto trouble_interval = std::chrono::seconds(1);
constexpr auto count_interval = std::chrono::seconds(1);

bool wants(const config::WebhookTarget& target, MessageKind kind) {
  if (target.events.empty()) return kind != MessageKind::turn_completed;
  return std::find(target.events.begin(), target.events.end(), store::to_string(kind)) !=
         target.events.end();
}

unsigned wanted_by(const config::WebhookTarget& target) {
  unsigned kinds = 0;
  for (unsigned kind = 0; kind <= static_cast<unsigned>(MessageKind::turn_completed); ++kind)
    if (wants(target, static_cast<MessageKind>(kind))) kinds |= 1u << kind;
  return kinds;
}

std::vector<std::string> names_of(const config::Webhook& settings) {
  std::vector<std::string> names;
  for (const auto& target : settings.targets) names.push_back(target.name);
  return names;
}

/// A result that a thread waits for.
template <class T>
struct Promise {
  std::mutex mutex;
  std::condition_variable wake;
  std::optional<store::StoreResult<T>> result;
};

/// The error of a call that a stop of the server cut short.
store::StorageError stopped() { return {store::Failure::other, "the server is stopping"}; }

}  // namespace

class Webhooks::Target {
 public:
  Target(const config::WebhookTarget& target, const config::Webhook& settings,
         store::OutboxStore& store, Log& log, const std::atomic<bool>& stopping)
      : target_(target),
        wanted_(wanted_by(target)),
        settings_(settings),
        outbox_(store.open_outbox(target.name)),
        log_(log),
        stopping_(stopping),
        call_(target.url, target.allow_private, settings.timeout, stopping),
        thread_([this] {
          name_this_thread("webhooks");
          run();
        }) {}
  ~Target() { thread_.join(); }

  void wake() {
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  }

  const std::string& name() const { return target_.name; }

  void set_secret(const Secret& secret) {
    const std::lock_guard lock(mutex_);
    target_.secret = secret;
  }

  WebhookGauges gauges() const {
    const std::int64_t oldest = oldest_.load();
    const double age = oldest == 0 ? 0 : static_cast<double>(now().wall - oldest) / 1000;
    return {target_.name,    delivered_.load(), failed_.load(),    dead_.load(),
            waiting_.load(), buried_.load(),    std::max(age, 0.0)};
  }

 private:
  using Wait = std::chrono::milliseconds;

  void run() {
    while (!stopping_) {
      try {
        const auto wait = step();
        if (!wait && !stopping_) report_trouble(wait.error().what());
        pause(wait.value_or(trouble_interval));
      } catch (const std::exception& error) {
        report_trouble(error.what());
        pause(trouble_interval);
      }
    }
  }

  void report_trouble(const char* why) {
    log_.error("webhook.trouble", {{"target", target_.name}, {"why", why}});
  }

  /// Processes one message; returns the time to wait before the next step.
  store::StoreResult<Wait> step() {
    if (!outbox_->ready()) return trouble_interval;
    if (auto counted = count(); !counted) return tl::unexpected(counted.error());
    const auto found =
        ask<store::NextMessage>([this](auto done) { outbox_->next(done_with_, std::move(done)); });
    if (!found) return tl::unexpected(found.error());
    const auto& message = found->message;
    if (!message) {
      // Skips delivered messages in the next search.
      done_with_ = std::max(done_with_, found->newest);
      return outbox_look_interval;
    }
    if (!wants(target_, message->kind))
      return record(*message, {DeliveryState::delivered, 0, ""}) ? Wait(0) : trouble_interval;
    const auto at = now().wall;
    const auto due = std::max(message->due_at, message->kind == MessageKind::session_ended
                                                   ? message->created_at + settings_.settle.count()
                                                   : 0);
    // A due time beyond the longest possible wait comes from a clock that was set back since.
    if (due > at && due - at <= longest_wait())
      return std::min<std::chrono::milliseconds>(outbox_look_interval,
                                                 std::chrono::milliseconds(due - at));
    const auto begun =
        ask<void>([this, id = message->id](auto done) { outbox_->begin_try(id, std::move(done)); });
    if (!begun) return trouble_interval;
    const auto body = body_of(*message);
    if (!body) return tl::unexpected(body.error());
    if (body->empty())
      return outbox_look_interval;  // the session and its message were erased meanwhile
    return conclude(*message, send(*message, *body));
  }

  WebhookCall::Answer send(const store::Message& message, const std::string& body) {
    const std::int64_t timestamp = now().wall / 1000;
    std::string secrets;
    {
      const std::lock_guard lock(mutex_);
      secrets = target_.secret.reveal();
    }
    return call_.post(body, {{"content-type", "application/json"},
                             {"webhook-id", message.public_id},
                             {"webhook-timestamp", std::to_string(timestamp)},
                             {"webhook-signature",
                              webhook_signature(secrets, message.public_id, timestamp, body)}});
  }

  Wait conclude(const store::Message& message, const WebhookCall::Answer& answer) {
    if (stopping_ && answer.status == 0)
      return outbox_look_interval;  // we aborted it, not the target
    const auto outcome = [&](DeliveryState state, TimeMs due, const std::string& why) {
      return record(message, {state, due, why}) ? Wait(0) : Wait(trouble_interval);
    };
    if (answer.status >= 200 && answer.status < 300) {
      ++delivered_;
      return outcome(DeliveryState::delivered, 0, "");
    }
    ++failed_;
    const std::string why =
        answer.error.empty() ? "status " + std::to_string(answer.status) : answer.error;
    const int tries = message.tries + 1;
    constexpr int gone = 410;
    if (answer.status == gone || static_cast<std::size_t>(tries) >= settings_.tries_max) {
      ++dead_;
      log_.error("webhook.dead", {{"target", target_.name},
                                  {"message", message.public_id},
                                  {"session", message.session_id},
                                  {"tries", tries},
                                  {"why", why},
                                  {"advice", "verbatim webhooks redrive"}});
      return outcome(DeliveryState::dead, 0, why);
    }
    const auto wait = backoff(tries);
    log_.warn("webhook.failed", {{"target", target_.name},
                                 {"message", message.public_id},
                                 {"tries", tries},
                                 {"why", why},
                                 {"again_in_ms", wait.count()}});
    return outcome(DeliveryState::waiting, now().wall + wait.count(), why);
  }

  TimeMs longest_wait() const {
    return std::max(settings_.settle, settings_.retry_max * 3 / 2).count();
  }

  store::StoreResult<> count() {
    const auto at = std::chrono::steady_clock::now();
    if (at < count_next_) return {};
    count_next_ = at + count_interval;
    const auto found = ask<store::Backlog>(
        [this](auto done) { outbox_->count(done_with_, wanted_, std::move(done)); });
    if (!found) return tl::unexpected(found.error());
    waiting_ = static_cast<std::uint64_t>(found->waiting);
    buried_ = static_cast<std::uint64_t>(found->dead);
    oldest_ = found->oldest.value_or(0);
    return {};
  }

  /// Doubles with each try; a random factor between 0.5 and 1.5.
  std::chrono::milliseconds backoff(int tries) {
    const auto wait = doubled(settings_.retry_min, tries - 1, settings_.retry_max);
    std::uniform_real_distribution<double> spread(0.5, 1.5);
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<double>(wait.count()) * spread(random_)));
  }

  /// The message's body from the current data; empty if the session no longer exists.
  store::StoreResult<std::string> body_of(const store::Message& message) {
    const auto subject = ask<std::optional<store::MessageSubject>>(
        [&](auto done) { outbox_->read_subject(message, std::move(done)); });
    if (!subject) return tl::unexpected(subject.error());
    if (!*subject) return std::string();
    return render(message, **subject);
  }

  std::string render(const store::Message& message, const store::MessageSubject& subject) {
    const store::SessionSummary& session = subject.session;
    const transcript::TranscriptView& view = subject.attempt;
    json data = {{"session_id", message.session_id},
                 {"attempt", message.attempt},
                 {"user", session.user},
                 {"metadata", json::parse(session.metadata_json, nullptr, false)},
                 {"private", json::parse(session.private_json, nullptr, false)},
                 {"status", transcript::to_string(view.status)},
                 {"turns", view.turns.size()},
                 {"complete", view.complete}};
    data["close_reason"] =
        view.close_reason ? json(transcript::to_string(*view.close_reason)) : json();
    data["ended_at"] = view.ended_at ? json(iso_time(*view.ended_at)) : json();
    if (view.receipt) data["receipt"] = json::parse(transcript::render_receipt(*view.receipt));
    if (!message.item_id.empty()) data["item_id"] = message.item_id;
    json body = {{"type", store::to_string(message.kind)},
                 {"timestamp", iso_time(message.created_at)},
                 {"data", std::move(data)}};
    const auto dump = [&body] { return body.dump(-1, ' ', false, json::error_handler_t::replace); };
    if (message.kind == MessageKind::session_started) return dump();
    body["data"]["transcript"] = json::parse(transcript::render(view, transcript::Format::json));
    std::string whole = dump();
    if (whole.size() <= settings_.body_bytes_max) return whole;
    body["data"].erase("transcript");
    body["data"]["transcript_omitted"] = true;
    return dump();
  }

  bool record(const store::Message& message, store::TryOutcome outcome) {
    const auto recorded = ask<void>([&](auto done) {
      outbox_->end_try(message.id, std::move(outcome), names_of(settings_), std::move(done));
    });
    if (recorded) done_with_ = std::max(done_with_, message.id);
    return recorded.has_value();
  }

  /// Waits for the result of `call(done)`, but not after a stop.
  template <class T, class Call>
  store::StoreResult<T> ask(const Call& call) {
    const auto promise = std::make_shared<Promise<T>>();
    call(store::Done<T>([promise](store::StoreResult<T> result) {
      const std::lock_guard lock(promise->mutex);
      promise->result = std::move(result);
      promise->wake.notify_all();
    }));
    std::unique_lock lock(promise->mutex);
    while (!promise->result && !stopping_) promise->wake.wait_for(lock, outbox_look_interval);
    if (!promise->result) return tl::unexpected(stopped());
    return *std::move(promise->result);
  }

  void pause(std::chrono::milliseconds how_long) {
    std::unique_lock lock(mutex_);
    if (!stopping_ && how_long.count() > 0) wake_.wait_for(lock, how_long);
  }

  config::WebhookTarget target_;
  const unsigned wanted_;
  const config::Webhook& settings_;
  const std::unique_ptr<store::Outbox> outbox_;
  Log& log_;
  const std::atomic<bool>& stopping_;
  WebhookCall call_;
  std::int64_t done_with_ = 0;  ///< messages up to this id have a delivery
  std::mt19937_64 random_{std::random_device{}()};
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> dead_{0};
  std::atomic<std::uint64_t> waiting_{0};
  std::atomic<std::uint64_t> buried_{0};
  std::atomic<std::int64_t> oldest_{0};  ///< creation time of the oldest waiting message
  std::chrono::steady_clock::time_point count_next_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

Webhooks::Webhooks(const config::Webhook& settings, store::OutboxStore& store, Log& log)
    : store_(store), log_(log) {
  for (const auto& target : settings.targets) kinds_ |= wanted_by(target);
  announce();
  try {
    for (const auto& target : settings.targets)
      targets_.push_back(std::make_unique<Target>(target, settings, store, log, stopping_));
  } catch (...) {
    stopping_ = true;  // otherwise the join of the running threads would never end
    throw;
  }
}

void Webhooks::announce() {
  store_.want_messages(kinds_, [&log = log_](const store::StoreResult<>& outcome) {
    if (!outcome) log.error("webhook.not_announced", {{"why", outcome.error().what()}});
  });
}

Webhooks::~Webhooks() {
  stopping_ = true;
  for (const auto& target : targets_) target->wake();
}

void Webhooks::reload(const config::Webhook& settings) {
  for (const auto& target : targets_)
    for (const auto& fresh : settings.targets)
      if (fresh.name == target->name()) target->set_secret(fresh.secret);
}

void Webhooks::add_metrics(relay::MetricsPage& page) const {
  std::vector<WebhookGauges> all;
  for (const auto& target : targets_) all.push_back(target->gauges());
  add_webhook_metrics(page, all);
}

}  // namespace verbatim::webhooks
