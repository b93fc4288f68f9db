#include "server/webhooks/target.hpp"

#include <algorithm>
#include <utility>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/thread_name.hpp"
#include "server/webhooks/kinds.hpp"
#include "server/webhooks/message_body.hpp"
#include "server/webhooks/signature.hpp"
#include "server/webhooks/verdict.hpp"

namespace verbatim::webhooks {

namespace {

using store::DeliveryState;
using store::WebhookKind;

/// Interval of the search for new messages. Polling costs the conversations nothing.
constexpr auto outbox_look_interval = std::chrono::milliseconds(100);
/// Interval while the store cannot be read or written.
constexpr auto trouble_interval = std::chrono::seconds(1);
constexpr auto count_interval = std::chrono::seconds(1);
/// Interval at which expired records are deleted. A delivery also deletes some.
constexpr auto expire_interval = std::chrono::minutes(1);
/// Counting may take 1/count_share of the time, because it examines every waiting message.
constexpr int count_share = 20;

store::DeliveryRecords records_of(const config::Webhook& settings) {
  store::DeliveryRecords records;
  for (const auto& target : settings.targets) records.targets.push_back(target.name);
  records.tries_max = settings.tries_kept;
  records.delivered_ms = settings.delivered_keep.count();
  records.delivered_max = settings.delivered_kept_max;
  return records;
}

/// The trace in a header `traceparent`, "00-<trace>-<span>-<flags>". Empty for an empty header.
std::string_view trace_of(std::string_view traceparent) {
  constexpr std::size_t begin = 3, digits = 32;
  return traceparent.size() < begin ? std::string_view() : traceparent.substr(begin, digits);
}

}  // namespace

class Target::Results {
 public:
  explicit Results(WebhookCalls& calls) : calls_(&calls) {}

  /// Any thread.
  void leave(std::function<void()> what) {
    const std::lock_guard lock(mutex_);
    if (!calls_) return;
    left_.push_back(std::move(what));
    calls_->wake();
  }
  std::vector<std::function<void()>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(left_, {});
  }
  void close() {
    const std::lock_guard lock(mutex_);
    calls_ = nullptr;
    left_.clear();
  }

 private:
  std::mutex mutex_;
  WebhookCalls* calls_;  ///< null: nothing is taken any more
  std::vector<std::function<void()>> left_;
};

Target::Target(const config::WebhookTarget& target, std::shared_ptr<const config::Webhook> settings,
               store::WebhookStore& store, DeliveryObserver* observer, Log& log)
    : target_(target),
      wanted_(kinds_wanted_by(target)),
      all_settings_(std::move(settings)),
      outbox_(store.open_outbox(target.name, records_of(settings_))),
      observer_(observer),
      log_(log),
      calls_({target.url, target.allow_private, settings_.timeout, settings_.answer_bytes_kept}),
      results_(std::make_shared<Results>(calls_)) {}

Target::~Target() {
  abort();
  if (thread_.joinable()) thread_.join();
  results_->close();
}

void Target::set_secret(const Secret& secret) {
  const std::lock_guard lock(secret_mutex_);
  target_.secret = secret;
}

std::string Target::secrets() const {
  const std::lock_guard lock(secret_mutex_);
  return target_.secret.reveal();
}

// --- the thread ---------------------------------------------------------------------------------

void Target::run() {
  take_over();
  while (!stopping_ && !is_over()) {
    try {
      look();
    } catch (const std::exception& error) {
      report_trouble(error.what());
    }
    const Wait wait = time_to_next_look().value_or(outbox_look_interval);
    for (auto& [id, answer] : calls_.wait(wait)) answered(id, std::move(answer));
  }
}

void Target::look() {
  for (const auto& result : results_->take()) result();
  if (!outbox_->ready()) {
    resume_at_ = std::chrono::steady_clock::now() + trouble_interval;
    return;
  }
  const auto at = std::chrono::steady_clock::now();
  if (at < resume_at_ || finishing_) return;
  if (!prepared_) return prepare_start();
  if (at >= count_next_) count();
  if (at >= expire_next_) expire(at);
  if (has_room() && (more_ || at >= next_look_)) search();
  begin_tries();
  send_begun();
}

std::optional<Target::Wait> Target::time_to_next_look() const {
  if (finishing_) return std::nullopt;
  const auto at = std::chrono::steady_clock::now();
  if (more_ && has_room() && prepared_ && at >= resume_at_) return Wait(0);
  const Steady next = std::max(next_look_, resume_at_);
  if (next <= at) return std::nullopt;
  return std::chrono::duration_cast<Wait>(next - at) + Wait(1);
}

/// Adapts the store to the settings; nothing is sent before.
void Target::prepare_start() {
  resume_at_ = std::chrono::steady_clock::now() + trouble_interval;
  outbox_->settle_anew(settings_.settle.count(),
                       [this, results = results_](const store::StoreResult<>& done) {
                         results->leave([this, done] {
                           if (!done) return report_trouble(done.error().what());
                           prepared_ = true;
                           resume_at_ = {};
                           finish_received(0);
                         });
                       });
}

/// Goes through all pending messages in small steps.
void Target::finish_received(std::int64_t after) {
  using Last = std::optional<std::int64_t>;
  outbox_->finish_received(after, now().wall,
                           [this, results = results_](const store::StoreResult<Last>& last) {
                             results->leave([this, last] {
                               if (!last) return report_trouble(last.error().what());
                               if (*last) finish_received(**last);
                             });
                           });
}

void Target::count() {
  const auto begun = std::chrono::steady_clock::now();
  const auto found = read<store::Backlog>(
      [this](auto done) { outbox_->count(first_open() - 1, wanted_, std::move(done)); });
  const auto ended = std::chrono::steady_clock::now();
  count_next_ = ended + std::max<std::chrono::steady_clock::duration>(
                            count_interval, (ended - begun) * count_share);
  waiting_ = static_cast<std::uint64_t>(found.waiting);
  buried_ = static_cast<std::uint64_t>(found.dead);
  oldest_ = found.oldest.value_or(0);
}

void Target::expire(Steady at) {
  expire_next_ = at + expire_interval;
  outbox_->pass_over({}, now().wall, [](const store::StoreResult<>&) {});
}

void Target::search() {
  next_look_ = std::chrono::steady_clock::now() + outbox_look_interval;
  more_ = false;
  search_due();
  search_new();
}

/// Half of the room is for messages that are due again, so that neither kind delays the other.
void Target::search_due() {
  store::DueQuery query;
  query.now = now().wall;
  query.longest_wait_ms = longest_wait();
  query.lanes = lanes_in_use();
  query.limit = settings_.lanes;
  auto due = read<std::vector<store::WebhookMessage>>(
      [&](auto done) { outbox_->find_due(query, std::move(done)); });
  more_ = due.size() == query.limit;
  for (store::WebhookMessage& message : due) take(std::move(message));
}

void Target::search_new() {
  store::NewQuery query;
  query.after = searched_;
  query.wanted = wanted_;
  query.lanes = lanes_in_use();
  query.limit = settings_.lanes;
  auto found =
      read<store::NewMessages>([&](auto done) { outbox_->find_new(query, std::move(done)); });
  searched_ = std::max(searched_, found.upto);
  more_ = more_ || found.more;
  if (!found.unwanted.empty()) {
    const std::int64_t first = found.unwanted.front();
    outbox_->pass_over(std::move(found.unwanted), now().wall,
                       [this, first, results = results_](const store::StoreResult<>& done) {
                         if (done) return;
                         results->leave([this, first, why = done.error()] {
                           searched_ = std::min(searched_, first - 1);
                           report_trouble(why.what());
                         });
                       });
  }
  for (store::WebhookMessage& message : found.heads) take(std::move(message));
}

// --- a message ----------------------------------------------------------------------------------

void Target::take(store::WebhookMessage message) {
  lanes_.insert(message.lane);
  if (!((wanted_ >> static_cast<unsigned>(message.kind)) & 1)) return pass_over(message);
  const bool untried = message.tries == 0 && message.due_at == 0 && message.last_error.empty();
  if (untried && !is_due(settled_at(message))) return put_off(message, settled_at(message));
  (message.tries == 0 ? fresh_ : again_).push_back(std::move(message));
}

void Target::pass_over(const store::WebhookMessage& message) {
  outbox_->pass_over({message.id}, now().wall,
                     result(message, [this, message] { leave(message); }));
}

void Target::put_off(const store::WebhookMessage& message, TimeMs due_at) {
  outbox_->put_off(message.id, due_at,
                   result(message, [this, message] { lanes_.erase(message.lane); }));
}

/// Tries are begun ahead of the calls, so that a call need not wait for the disk. Messages that
/// were tried before leave some lanes to new ones, because their calls may take long to fail.
void Target::begin_tries() {
  while (flights_.size() < 2 * settings_.lanes) {
    const bool may_again = !again_.empty() && flights_again_ < again_max();
    if (fresh_.empty() && !may_again) return;
    // New messages and those that were tried before take turns.
    const bool again = may_again && (fresh_.empty() || flights_.size() % 2 == 1);
    auto& from = again ? again_ : fresh_;
    store::WebhookMessage message = std::move(from.front());
    from.pop_front();
    begin_try(std::move(message));
  }
}

void Target::begin_try(store::WebhookMessage message) {
  const std::int64_t id = message.id;
  if (message.tries > 0) ++flights_again_;
  const auto [flight, added] = flights_.try_emplace(id, Flight{std::move(message)});
  outbox_->begin_try(id, result(flight->second.message, [this, id] { begun_.push_back(id); }));
}

void Target::send_begun() {
  while (sending_ < settings_.lanes && !begun_.empty()) {
    Flight& flight = flights_.at(begun_.front());
    begun_.pop_front();
    const store::WebhookMessage message = flight.message;
    try {
      const auto subject = read<std::optional<store::MessageSubject>>(
          [&](auto done) { outbox_->read_subject(message, std::move(done)); });
      if (subject)
        send(flight, message_body(message, *subject, settings_.body_bytes_max));
      else
        leave(message);  // the session and its messages were erased meanwhile
    } catch (const store::StorageError& error) {
      drop(message, error.what());
    }
  }
}

void Target::send(Flight& flight, std::string body) {
  flight.called_at = now().wall;
  const std::int64_t timestamp = flight.called_at / 1000;
  const std::string& id = flight.message.public_id;
  const std::string signature = webhook_signature(secrets(), id, timestamp, body);
  WebhookCalls::Headers headers = {{"content-type", "application/json"},
                                   {"webhook-id", id},
                                   {"webhook-timestamp", std::to_string(timestamp)},
                                   {"webhook-signature", signature}};
  flight.traceparent = observer_ != nullptr ? observer_->begin_call(flight.message) : "";
  if (!flight.traceparent.empty()) headers.emplace_back("traceparent", flight.traceparent);
  calls_.start(flight.message.id, std::move(body), headers);
  ++sending_;
}

void Target::answered(std::int64_t id, CallAnswer answer) {
  --sending_;
  const Flight& flight = flights_.at(id);
  const store::WebhookMessage message = flight.message;
  count_call(answer);
  store::TryOutcome outcome = outcome_of(flight, answer);
  outcome.at = flight.called_at;
  outcome.took_ms = answer.took.count();
  outcome.status = answer.status;
  if (!flight.traceparent.empty()) {
    observer_->end_call(
        message, flight.traceparent,
        {target_.name, flight.called_at, answer.took, answer.status, outcome.state});
  }
  outcome.answer = kept_answer(answer.body, settings_.answer_bytes_kept);
  outbox_->end_try(id, std::move(outcome), result(message, [this, message] { leave(message); }));
}

store::TryOutcome Target::outcome_of(const Flight& flight, const CallAnswer& answer) {
  const store::WebhookMessage& message = flight.message;
  const Verdict verdict = verdict_of(answer.status);
  store::TryOutcome outcome;
  if (verdict == Verdict::delivered) {
    ++delivered_;
    outcome.state = DeliveryState::delivered;
    return outcome;
  }
  ++failed_;
  outcome.error = answer.error.empty() ? "status " + std::to_string(answer.status) : answer.error;
  outcome.refused = verdict == Verdict::refused;
  const int tries = message.tries + 1;
  const int refusals = message.refusals + (outcome.refused ? 1 : 0);
  const bool refused_for_good =
      outcome.refused && static_cast<std::size_t>(refusals) >= settings_.refused_tries_max;
  if (verdict == Verdict::gone || refused_for_good ||
      static_cast<std::size_t>(tries) >= settings_.tries_max) {
    ++dead_;
    outcome.state = DeliveryState::dead;
    log_.error("webhook.dead", {{"target", target_.name},
                                {"message", message.public_id},
                                {"session", message.session_id},
                                {"trace_id", trace_of(flight.traceparent)},
                                {"tries", tries},
                                {"why", outcome.error},
                                {"advice", "verbatim webhooks redrive"}});
    return outcome;
  }
  const TimeMs at = now().wall;
  outcome.due_at = at + next_try_at(message, answer);
  log_.warn("webhook.failed", {{"target", target_.name},
                               {"message", message.public_id},
                               {"session", message.session_id},
                               {"trace_id", trace_of(flight.traceparent)},
                               {"tries", tries},
                               {"why", outcome.error},
                               {"again_in_ms", outcome.due_at - at}});
  return outcome;
}

/// In milliseconds from now. Doubles with each try; a random factor between 0.5 and 1.5; not before
/// the target wants it.
TimeMs Target::next_try_at(const store::WebhookMessage& message, const CallAnswer& answer) {
  const auto pause = doubled(settings_.retry_min, message.tries, settings_.retry_max);
  std::uniform_real_distribution<double> spread(0.5, 1.5);
  const auto own = static_cast<std::int64_t>(static_cast<double>(pause.count()) * spread(random_));
  const auto asked =
      read_retry_after(answer.retry_after, answer.date, now().wall).value_or(Wait(0));
  return std::max<TimeMs>(own, std::min(asked, settings_.retry_after_max).count());
}

void Target::count_call(const CallAnswer& answer) {
  const double seconds = static_cast<double>(answer.took.count()) / 1000;
  const auto* const bound =
      std::lower_bound(std::begin(call_seconds_bounds), std::end(call_seconds_bounds), seconds);
  ++calls_of_[static_cast<std::size_t>(bound - std::begin(call_seconds_bounds))];
  call_ms_ += static_cast<std::uint64_t>(answer.took.count());
}

void Target::leave(const store::WebhookMessage& message) {
  if (flights_.erase(message.id) > 0 && message.tries > 0) --flights_again_;
  try {
    auto next = read<std::optional<store::WebhookMessage>>(
        [&](auto done) { outbox_->find_following(message, wanted_, std::move(done)); });
    if (next && is_due(next->due_at)) return take(*std::move(next));
    lanes_.erase(message.lane);
  } catch (const store::StorageError& error) {
    drop(message, error.what());
  }
}

void Target::drop(const store::WebhookMessage& message, const char* why) {
  if (flights_.erase(message.id) > 0 && message.tries > 0) --flights_again_;
  lanes_.erase(message.lane);
  searched_ = std::min(searched_, message.id - 1);
  report_trouble(why);
}

/// A function for the result of a change: `then` follows on this object's thread.
store::Done<> Target::result(const store::WebhookMessage& message, std::function<void()> then) {
  return [this, message, then = std::move(then),
          results = results_](const store::StoreResult<>& done) {
    results->leave([this, message, then, done] {
      if (!done) return drop(message, done.error().what());
      then();
    });
  };
}

/// The result of a read, which is there when the call returns.
template <class T, class Read>
T Target::read(const Read& read) {
  std::optional<store::StoreResult<T>> result;
  read(store::Done<T>([&result](store::StoreResult<T> found) { result = std::move(found); }));
  if (!result->has_value()) throw store::StorageError(result->error());
  return **std::move(result);
}

void Target::report_trouble(const char* why) {
  resume_at_ = std::chrono::steady_clock::now() + trouble_interval;
  log_.error("webhook.trouble", {{"target", target_.name}, {"why", why}});
}

// --- times and numbers --------------------------------------------------------------------------

TimeMs Target::settled_at(const store::WebhookMessage& message) const {
  if (message.kind != WebhookKind::session_ended) return 0;
  return message.created_at + settings_.settle.count();
}

/// A due time beyond the longest possible wait comes from a clock that was set back since.
bool Target::is_due(TimeMs due_at) const {
  const TimeMs at = now().wall;
  return due_at <= at || due_at - at > longest_wait();
}

TimeMs Target::longest_wait() const {
  return std::max({settings_.settle, settings_.retry_max * 3 / 2, settings_.retry_after_max})
      .count();
}

/// Limit on the concurrent tries of messages that were tried before.
std::size_t Target::again_max() const {
  constexpr std::size_t part_of_others = 8;
  if (settings_.lanes == 1) return 1;
  return settings_.lanes - std::max<std::size_t>(1, settings_.lanes / part_of_others);
}

std::vector<std::int64_t> Target::lanes_in_use() const { return {lanes_.begin(), lanes_.end()}; }

/// Room for more messages. Those that are being put off or passed over count too.
bool Target::has_room() const {
  constexpr std::size_t per_lane = 8;
  return ready() < settings_.lanes && lanes_.size() < per_lane * settings_.lanes;
}

/// No earlier message waits.
std::int64_t Target::first_open() const {
  std::int64_t first = searched_ + 1;
  for (const auto* const list : {&fresh_, &again_})
    for (const store::WebhookMessage& message : *list) first = std::min(first, message.id);
  for (const auto& [id, flight] : flights_) first = std::min(first, id);
  return first;
}

}  // namespace verbatim::webhooks
