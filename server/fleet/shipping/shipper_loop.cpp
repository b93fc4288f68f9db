#include "server/fleet/shipping/shipper_loop.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include "base/clock.hpp"
#include "server/fleet/shipping/database_names.hpp"

namespace verbatim::shipping {

namespace {

using std::chrono::milliseconds;

constexpr auto look_interval = milliseconds(1000);
/// Interval of the checks with fleet.ship = "before", so that fleet.when_unreachable takes effect
/// in time.
constexpr auto close_look_interval = milliseconds(50);
constexpr auto note_interval = milliseconds(1000);
constexpr auto rewind_patience = std::chrono::seconds(10);
/// Beyond this age of the oldest event, attempts that have ended are sent without their events.
constexpr double catch_up_seconds = 10;
/// SQLSTATE of the NOT NULL violation by which a batch undoes itself.
constexpr const char* refused_by_guard = "23502";

double age_in_seconds(TimeMs at) { return std::max(0.0, (now().wall - at) / 1000.0); }

}  // namespace

Shipper::Loop::Loop(ShipperParts parts, std::unique_ptr<store::Shipping> shipping,
                    ShippingState& state)
    : parts_(std::move(parts)),
      shipping_(std::move(shipping)),
      state_(state),
      outage_(parts_, state_),
      backoff_(backoff_between(parts_.settings.retry_min, parts_.settings.retry_max,
                               std::random_device()())) {}

void Shipper::Loop::run() {
  while (!stopping()) {
    const DatabaseError why = serve();
    connection_.reset();
    in_flight_.clear();
    if (lease_) lease_->connection_lost();
    if (stopping()) break;
    failed(why);
    if (why.trouble == Trouble::fenced) be_fenced(why);
    pause();
  }
  const std::lock_guard lock(mutex_);
  done_ = true;
  ended_.notify_all();
}

void Shipper::Loop::finish(milliseconds patience) {
  std::unique_lock lock(mutex_);
  finish_at_ = Clock::now() + patience;
  nudge_.notify();
  ended_.wait_for(lock, patience, [this] { return done_; });
  wake_.notify();  // ends every wait
}

std::optional<Shipper::Loop::Clock::time_point> Shipper::Loop::finish_at() const {
  const std::lock_guard lock(mutex_);
  return finish_at_;
}

/// A connection that is lost at the end of the process is not made again.
bool Shipper::Loop::stopping() const { return finish_at().has_value(); }

DatabaseError Shipper::Loop::serve() {
  if (auto connected = connect(); !connected) return std::move(connected.error());
  while (true) {
    if (auto done = receive(); !done) return std::move(done.error());
    if (auto done = send_what_is_due(); !done) return std::move(done.error());
    look();
    if (const auto end = finish_at(); end && (finished() || Clock::now() >= *end)) {
      if (finished()) leave(*end);
      return {Trouble::unreachable, {}, "stopping"};
    }
    if (!in_flight_.empty() && Clock::now() - last_heard_ > parts_.settings.silence_max)
      return {Trouble::unreachable, {}, "the database has not answered for fleet.silence_max"};
    wait_for_work();
  }
}

// --- a connection -----------------------------------------------------------------------------

DatabaseResult<> Shipper::Loop::connect() {
  auto opened = Connection::open(parts_.settings, "verbatim " + parts_.version, wake_.fd());
  if (!opened) return tl::unexpected(std::move(opened.error()));
  connection_ = *std::move(opened);
  // A batch waits for as long as the database does: its own timeouts would only repeat the work.
  auto set = connection_->run_script(
      "SET statement_timeout = 0; SET lock_timeout = 0; "
      "SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning");
  if (!set) return tl::unexpected(std::move(set.error()));
  if (auto ready = prepare_schema(*connection_); !ready) return ready;
  if (auto last = require_commits_last(); !last) return last;
  const NodeFacts facts{parts_.settings.peer_url, parts_.version, parts_.settings.lease_ttl};
  auto registered = register_node(*connection_, *shipping_, facts, sender_);
  if (!registered) return tl::unexpected(std::move(registered.error()));
  return enter(*std::move(registered));
}

/// Reads back how a commit ends, as the journal does with its own file.
DatabaseResult<> Shipper::Loop::require_commits_last() {
  const Statement ask{"",
                      "SELECT current_setting('synchronous_commit'), "
                      "current_setting('synchronous_standby_names')"};
  auto row = connection_->run(ask);
  if (!row) return tl::unexpected(std::move(row.error()));
  if (const auto why = unreplicated(row->text(0, 0), row->text(0, 1)))
    return database_error(Trouble::no_replica, *why);
  return {};
}

/// Why a commit is not enough with fleet.ship = "before"; nullopt: it is.
std::optional<std::string> Shipper::Loop::unreplicated(const std::string& commit,
                                                       const std::string& standbys) const {
  if (!before()) return std::nullopt;
  if (commit == "off")
    return "synchronous_commit is off: a commit is confirmed before it is stored";
  if (!parts_.settings.require_replica) return std::nullopt;
  if (standbys.empty())
    return "synchronous_standby_names is empty: a commit does not wait for a replica "
           "(fleet.require_replica)";
  if (commit == "local" || commit == "remote_write")
    return "synchronous_commit is " + commit +
           ": a commit does not wait for the disk of a replica (fleet.require_replica)";
  return std::nullopt;
}

DatabaseResult<> Shipper::Loop::enter(Registered registered) {
  if (registered.is_new) {
    if (registered.renewed)
      parts_.log.error("fleet.renamed",
                       {{"node_id", registered.sender.node_id},
                        {"why",
                         "the data directory does not continue what the database has of it: a "
                         "restored backup. It is a new relay from now on"}});
    if (registered.was_fenced)
      parts_.log.error("fleet.was_fenced",
                       {{"incarnation", sender_->incarnation},
                        {"new_incarnation", registered.sender.incarnation},
                        {"why", "this relay's lease was over, so another took over sessions of it"},
                        {"now", "the sessions that were taken over end here; the others go on"}});
    lease_.emplace(parts_.settings.lease_ttl);
    if (registered.fenced != 0)
      parts_.log.info("fleet.fenced_before",
                      {{"incarnation", registered.fenced}, {"by", registered.sender.incarnation}});
  }
  sender_ = std::move(registered.sender);
  StoreCall<bool> rewinding(
      [&](auto done) { shipping_->resume_from(registered.shipped, std::move(done)); });
  const auto rewound = rewinding.wait(rewind_patience);
  if (!rewound) return tl::unexpected(rewound.error());
  read_up_to_ = sent_up_to_ = acknowledged_ = registered.shipped;
  acknowledged_rows_ = false;
  more_ = true;
  if (auto begun = connection_->begin_pipeline(); !begun) return begun;
  connection_->forget_warning();
  // Rows that are there already count as confirmed after a commit of this connection: the primary
  // may have committed them without its replica.
  Batch first{registered.shipped, registered.shipped};
  if (auto sent = send_batch(nullptr, first); !sent) return sent;
  state_.change([&](ShippingFigures& figures) {
    figures.connected = true;
    figures.incarnation = sender_->incarnation;
    ++figures.connects;
  });
  show_lease();
  if (parts_.on_entered) parts_.on_entered();
  state_.set_warning({});
  parts_.log.info("fleet.connected", {{"member", connection_->member()},
                                      {"node_id", sender_->node_id},
                                      {"incarnation", sender_->incarnation},
                                      {"shipped", registered.shipped},
                                      {"everything_again", *rewound}});
  return {};
}

// --- results ----------------------------------------------------------------------------------

DatabaseResult<> Shipper::Loop::receive() {
  while (true) {
    auto arrived = connection_->receive();
    if (!arrived) return tl::unexpected(std::move(arrived.error()));
    if (!*arrived) return {};
    last_heard_ = Clock::now();
    const Connection::Arrived& one = **arrived;
    if (one.synced) {
      if (auto done = confirm_oldest(); !done) return done;
    } else if (one.rows && one.rows->columns() == 2) {  // of the guard
      if (one.rows->count() == 0)
        return database_error(Trouble::unreachable, "this relay's row in the database is gone");
      if (const auto why = unreplicated(one.rows->text(0, 0), one.rows->text(0, 1)))
        return database_error(Trouble::no_replica, *why);
    }
  }
}

DatabaseResult<> Shipper::Loop::confirm_oldest() {
  // "Committed locally, but perhaps not replicated" is a warning. Such a batch counts as
  // unconfirmed until a later commit ends without one.
  if (const auto& warning = connection_->warning())
    return database_error(Trouble::no_replica, *warning);
  const Batch batch = in_flight_.front();
  in_flight_.pop_front();
  acknowledged_ = std::max(acknowledged_, batch.upto);
  acknowledged_rows_ = acknowledged_rows_ || batch.rows;
  backoff_.reset();
  last_failure_.clear();
  lease_->confirmed(batch.renewal);
  show_lease();
  if (state_.confirm(batch.covers)) parts_.on_moved();
  outage_.confirmed(Clock::now(), batch.covers >= parts_.covered());
  if (batch.oldest_at) state_.count_confirm(age_in_seconds(*batch.oldest_at));
  if (batch.rows)
    state_.change([&](ShippingFigures& figures) {
      ++figures.batches;
      figures.events += batch.events;
      figures.bytes += batch.bytes;
    });
  return {};
}

// --- sending ----------------------------------------------------------------------------------

bool Shipper::Loop::may_send() const {
  const std::size_t depth = parts_.settings.batches_in_flight;
  if (in_flight_.size() >= (before() ? std::max<std::size_t>(1, depth / 2) : depth)) return false;
  return before() || full_batch_ || stopping() ||
         Clock::now() >= last_sent_ + parts_.settings.linger;
}

bool Shipper::Loop::renewal_due() const {
  return in_flight_.size() < parts_.settings.batches_in_flight && lease_->renewal_due(Clock::now());
}

DatabaseResult<> Shipper::Loop::send_what_is_due() {
  while (more_ && may_send())
    if (auto sent = send_next(); !sent) return sent;
  if (!renewal_due()) return {};
  return send_batch(nullptr, Batch{sent_up_to_, sent_up_to_});
}

DatabaseResult<> Shipper::Loop::send_next() {
  const transcript::Sequence covered = parts_.covered();
  shipping_->arm();
  const store::ShipmentLimits limits{parts_.settings.batch_events_max,
                                     parts_.settings.batch_bytes_max};
  const auto shipment = shipping_->read_shipment(read_up_to_, limits, catching_up_);
  if (!shipment) return tl::unexpected(of_store(shipment.error()));
  more_ = full_batch_ = shipment->more;
  read_up_to_ = std::max(read_up_to_, shipment->upto);
  Batch batch{shipment->upto, shipment->upto};
  // Durable before the read, and still in the file after it: the read had all of it.
  if (!more_ && parts_.covered() != 0) batch.covers = std::max(batch.covers, covered);
  if (!more_ && catching_up_) {
    catching_up_ = false;
    parts_.log.info("fleet.caught_up", {{"shipped", shipment->upto}});
  }
  if (shipment->empty()) {
    if (!in_flight_.empty()) {
      in_flight_.back().covers = std::max(in_flight_.back().covers, batch.covers);
    } else {
      if (state_.confirm(batch.covers)) parts_.on_moved();
      outage_.confirmed(Clock::now(), batch.covers >= parts_.covered());
    }
    return {};
  }
  batch.rows = true;
  batch.events = shipment->events.size();
  batch.bytes = shipment->bytes;
  if (!shipment->events.empty()) batch.oldest_at = shipment->events.front().at;
  return send_batch(&*shipment, batch);
}

DatabaseResult<> Shipper::Loop::send_batch(const store::Shipment* shipment, Batch batch) {
  if (in_flight_.empty()) last_heard_ = Clock::now();
  last_sent_ = Clock::now();
  if (shipment != nullptr)
    if (auto sent = send_rows(*connection_, *sender_, *shipment); !sent) return sent;
  sender_->lag_ms = static_cast<std::int64_t>(state_.figures().lag_seconds * 1000);
  if (auto sent = send_guard(*connection_, *sender_, sent_up_to_, batch.upto); !sent) return sent;
  sent_up_to_ = std::max(sent_up_to_, batch.upto);
  batch.renewal = lease_->sent(last_sent_);
  in_flight_.push_back(batch);
  return connection_->sync();
}

// --- the rest ---------------------------------------------------------------------------------

bool Shipper::Loop::finished() {
  return parts_.idle() && !more_ && in_flight_.empty() && read_up_to_ >= parts_.covered();
}

void Shipper::Loop::wait_for_work() {
  const auto at = Clock::now();
  auto until = next_look_;
  // If the limit of batches in flight is reached, only an answer of the database allows the next
  // one.
  if (in_flight_.size() < parts_.settings.batches_in_flight) {
    until = std::min(until, lease_->renewal_due_at());
    if (more_ && !before()) until = std::min(until, last_sent_ + parts_.settings.linger);
  }
  if (stopping()) until = std::min(until, at + milliseconds(20));
  const auto left = std::chrono::ceil<milliseconds>(until - at);
  std::array<pollfd, 4> watched = {{{connection_->socket(), connection_->events(), 0},
                                    {nudge_.fd(), POLLIN, 0},
                                    {wake_.fd(), POLLIN, 0},
                                    {more_ ? -1 : shipping_->changes_fd(), POLLIN, 0}}};
  const auto patience = std::max(left, milliseconds(0));
  ::poll(watched.data(), watched.size(), static_cast<int>(patience.count()));
  if (watched[1].revents != 0) nudge_.reset();
  if (watched[3].revents != 0) more_ = true;
}

void Shipper::Loop::look() {
  const auto at = Clock::now();
  const bool waiting = parts_.covered() > state_.confirmed();
  outage_.look(at, connection_.has_value(), waiting);
  if (at < next_look_) return;
  next_look_ = at + (before() ? close_look_interval : look_interval);
  look_at_backlog();
  note_locally();
}

void Shipper::Loop::look_at_backlog() {
  const bool behind = !connection_ || full_batch_;
  ShippingFigures now_there = state_.figures();
  now_there.connected = connection_.has_value();
  if (behind) {
    const auto backlog = shipping_->backlog();
    if (!backlog) return;
    now_there.backlog_bytes = backlog->bytes;
    now_there.backlog_events = backlog->events;
    now_there.backlog_rows = backlog->rows;
    now_there.lag_seconds = backlog->oldest_at ? age_in_seconds(*backlog->oldest_at) : 0;
  } else {
    now_there.backlog_bytes = now_there.backlog_events = now_there.backlog_rows = 0;
    for (const Batch& batch : in_flight_) {
      now_there.backlog_bytes += batch.bytes;
      now_there.backlog_events += batch.events;
    }
    const auto oldest = std::find_if(in_flight_.begin(), in_flight_.end(),
                                     [](const Batch& batch) { return batch.oldest_at; });
    now_there.lag_seconds = oldest == in_flight_.end() ? 0 : age_in_seconds(*oldest->oldest_at);
  }
  if (behind && now_there.lag_seconds > catch_up_seconds) catching_up_ = true;
  const std::uint64_t bound = parts_.settings.backlog_bytes_max;
  const bool full = now_there.backlog_bytes >= (backlog_full_ ? bound / 4 * 3 : bound);
  if (full != backlog_full_) {
    const LogFields fields = {{"backlog_bytes", now_there.backlog_bytes},
                              {"backlog_bytes_max", bound},
                              {"now", full ? "no new session is admitted; live ones go on"
                                           : "new sessions are admitted again"}};
    full ? parts_.log.error("fleet.backlog", fields) : parts_.log.info("fleet.backlog", fields);
  }
  backlog_full_ = full;
  state_.change([&](ShippingFigures& figures) { figures = now_there; });
  std::string refusal = outage_.refusal(last_trouble_);
  if (refusal.empty() && backlog_full_)
    refusal = "too much waits for the fleet's database (fleet.backlog_bytes_max)";
  state_.set_refusal(std::move(refusal));
}

/// Lets the store forget, after fleet.keep_shipped. A commit of its own, so it is not done often.
void Shipper::Loop::note_locally() {
  if (!connection_ || !acknowledged_rows_ || acknowledged_ <= noted_ || Clock::now() < next_note_)
    return;
  next_note_ = Clock::now() + note_interval;
  noted_ = acknowledged_;
  acknowledged_rows_ = false;
  shipping_->note_shipped(acknowledged_, [](store::StoreResult<>) {});
}

void Shipper::Loop::failed(const DatabaseError& error) {
  last_trouble_ = error.trouble;
  state_.change([&](ShippingFigures& figures) {
    figures.connected = false;
    ++figures.failures;
    if (error.sqlstate == refused_by_guard) {
      // Perhaps fenced: it owns nothing until it has registered again.
      figures.incarnation = 0;
      figures.lease_until.reset();
      figures.may_fence_from.reset();
    }
  });
  state_.set_warning(public_reason(error.trouble));
  noted_ = 0;  // the store may have to be reminded: resume_from() can go back
  // One line for each new reason: a database may be away for hours.
  if (error.message == last_failure_) return;
  last_failure_ = error.message;
  parts_.log.warn("fleet.lost", {{"trouble", to_string(error.trouble)},
                                 {"why", error.message},
                                 {"sqlstate", error.sqlstate},
                                 {"advice", advice_for(error.trouble)}});
}

/// Waits before the next connection, and keeps the outside informed meanwhile.
void Shipper::Loop::pause() {
  auto left = milliseconds(backoff_.pause());
  backoff_.failed();
  while (left.count() > 0 && !stopping()) {
    next_look_ = {};
    look();
    const auto step = std::min(left, before() ? close_look_interval : look_interval);
    std::array<pollfd, 1> watched = {{{nudge_.fd(), POLLIN, 0}}};
    ::poll(watched.data(), watched.size(), static_cast<int>(step.count()));
    left -= step;
  }
}

void Shipper::Loop::show_lease() {
  state_.change([this](ShippingFigures& figures) {
    figures.lease_until = lease_->held_until();
    figures.may_fence_from = lease_->may_fence_from();
  });
}

void Shipper::Loop::leave(Clock::time_point until) {
  if (!send_leave(*connection_, *sender_) || !connection_->sync()) return;
  while (Clock::now() < until) {
    const auto arrived = connection_->receive();
    if (!arrived || (*arrived && (*arrived)->synced)) return;
    if (*arrived) continue;
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    pollfd watched{connection_->socket(), connection_->events(), 0};
    ::poll(&watched, 1, static_cast<int>(std::max(left, milliseconds(0)).count()));
  }
}

/// A newer process has this node's name. This one ships nothing any more.
void Shipper::Loop::be_fenced(const DatabaseError& error) {
  parts_.log.error("fleet.fenced",
                   {{"why", error.message},
                    {"now",
                     "nothing more of this process reaches the database, and no new session is "
                     "admitted; its journal keeps every word"},
                    {"advice", advice_for(Trouble::fenced)}});
  state_.change([](ShippingFigures& figures) { figures.fenced = true; });
  while (!stopping()) {
    outage_.look(Clock::now(), false, true);
    state_.set_refusal(public_reason(Trouble::fenced));
    std::array<pollfd, 1> watched = {{{nudge_.fd(), POLLIN, 0}}};
    ::poll(watched.data(), watched.size(), static_cast<int>(close_look_interval.count()));
  }
}

}  // namespace verbatim::shipping
