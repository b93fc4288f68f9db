#include "server/fleet/ownership/ownership.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "base/thread_name.hpp"
#include "server/fleet/database/store_call.hpp"
#include "server/fleet/ownership/session_reader.hpp"

namespace verbatim::ownership {

using database::DatabaseError;
using database::DatabaseResult;
using database::StoreCall;
using database::Trouble;

namespace {

using std::chrono::milliseconds;

/// Requests that may wait; one more is answered with `unknown`.
constexpr std::size_t waiting_max = 10'000;
/// Sessions of one transaction. The rows of the lost node are held while it lasts.
constexpr std::size_t together_max = 32;
constexpr milliseconds look_interval{500};
/// Looks for open attempts of dead nodes within fleet.dead_after.
constexpr int orphan_looks = 20;
constexpr std::chrono::seconds store_patience{10};
constexpr std::chrono::seconds release_patience{10};
constexpr milliseconds release_look{10};
/// Looks for all erasures that this node has not followed; between them for the latest ones.
constexpr std::chrono::minutes all_erasures_interval{10};
/// Rounds of one search for erasures: at most 500 sessions each. The next search continues.
constexpr int erasure_rounds_max = 1000;

}  // namespace

Ownership::Ownership(OwnershipParts parts)
    : parts_(std::move(parts)),
      connection_(parts_.settings, "verbatim ownership"),
      thread_([this] { run(); }) {}

Ownership::~Ownership() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  connection_.stop();
  changed_.notify_all();
  thread_.join();
  for (const Request& request : waiting_) request.done(Taken::unknown);
}

void Ownership::take(const std::string& session_id, const relay::Node& from,
                     std::function<void(Taken)> done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && waiting_.size() < waiting_max) {
      waiting_.push_back({session_id, from.incarnation, Reason::client, std::move(done)});
      changed_.notify_all();
      return;
    }
  }
  done(Taken::unknown);
}

void Ownership::entered() {
  const std::lock_guard lock(mutex_);
  entered_ = true;
  changed_.notify_all();
}

bool Ownership::owns() const {
  const OwnNode own = parts_.own();
  return own.lease.held && has_given_up(own);
}

bool Ownership::has_given_up(const OwnNode& own) const {
  return own.incarnation != 0 && given_up_by_ == own.incarnation;
}

// --- the thread ---------------------------------------------------------------------------------

void Ownership::run() {
  name_this_thread("fleet owner");
  Requests requests;
  while (next(requests)) {
    const OwnNode own = parts_.own();
    if (!is_ready(own)) {
      for (const Request& request : requests) request.done(Taken::unknown);
      continue;
    }
    answer(std::move(requests), own);
    if (Clock::now() < look_at_ || !connection_.is_open()) continue;
    look_at_ = Clock::now() + look_interval;
    if (auto done = look(own); !done) lose_connection(done.error());
  }
  for (const Request& request : requests) request.done(Taken::unknown);
}

bool Ownership::is_ready(const OwnNode& own) {
  if (own.incarnation == 0) return false;
  if (auto connected = connection_.connect(); !connected) {
    report(connected.error());
    return false;
  }
  if (!has_given_up(own)) {
    erased_here_.clear();
    all_erasures_at_ = {};
    auto done = follow_erasures(own);
    if (done) done = give_up_lost(own);
    if (!done) lose_connection(done.error());
  }
  return has_given_up(own) && connection_.is_open();
}

bool Ownership::next(Requests& requests) {
  requests.clear();
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, look_interval,
                    [this] { return stopping_ || entered_ || !waiting_.empty(); });
  entered_ = false;
  requests.swap(waiting_);
  return !stopping_;
}

void Ownership::lose_connection(const DatabaseError& error) {
  connection_.close_and_pause(error);
  report(error);
}

void Ownership::report(const DatabaseError& error) {
  const LineLimit::Verdict verdict = trouble_line_.take(Clock::now());
  if (!verdict.write) return;
  parts_.log.warn("fleet.ownership_unknown",
                  {{"kind", database::to_string(error.trouble)},
                   {"why", error.message},
                   {"left_out", verdict.left_out},
                   {"now", "no session of another relay is taken over"}});
}

// --- taking over --------------------------------------------------------------------------------

void Ownership::answer(Requests requests, const OwnNode& own) {
  std::map<std::int64_t, Requests> by_node;
  for (Request& one : requests) by_node[one.from].push_back(std::move(one));
  for (auto& [from, all] : by_node) {
    for (auto next = all.begin(); next != all.end();) {
      const auto end = next + std::min<std::ptrdiff_t>(all.end() - next, together_max);
      answer_those_of(from, {std::make_move_iterator(next), std::make_move_iterator(end)}, own);
      next = end;
    }
  }
}

void Ownership::answer_those_of(std::int64_t from, Requests requests, const OwnNode& own) {
  Outcomes outcomes(requests.size(), Taken::unknown);
  if (connection_.is_open()) {
    auto taken = take_over(from, requests, own);
    // One session that cannot be taken must not keep the others from it.
    if (!taken && taken.error().trouble == Trouble::conflict && requests.size() > 1) {
      for (Request& one : requests) {
        Requests alone;
        alone.push_back(std::move(one));
        answer_those_of(from, std::move(alone), own);
      }
      return;
    }
    if (taken) {
      outcomes = *std::move(taken);
    } else if (taken.error().trouble == Trouble::conflict) {
      outcomes.assign(requests.size(), Taken::held);
    } else {
      lose_connection(taken.error());
    }
  }
  for (std::size_t i = 0; i < requests.size(); ++i) requests[i].done(outcomes[i]);
}

DatabaseResult<Ownership::Outcomes> Ownership::take_over(std::int64_t from,
                                                         const Requests& requests,
                                                         const OwnNode& own) {
  Outcomes held(requests.size(), Taken::held);
  auto other = look_at(*connection_, from);
  if (!other) return tl::unexpected(std::move(other.error()));
  if (!*other) return Outcomes(requests.size(), Taken::moved);
  const Reason reason = requests.front().reason;
  switch (decide(**other, reason, own.lease, parts_.settings.dead_after)) {
    case Decision::wait:
      return held;
    case Decision::not_from_here:
      if (const auto verdict = alive_line_.take(Clock::now()); verdict.write)
        parts_.log.warn("fleet.not_fenced",
                        {{"incarnation", from},
                         {"why", "it does not answer this relay, but renews its lease"},
                         {"left_out", verdict.left_out},
                         {"now", "clients of its sessions get 503 here"}});
      return held;
    case Decision::fence:
    case Decision::take:
      break;
  }
  if (auto begun = connection_->run_script("BEGIN"); !begun)
    return tl::unexpected(std::move(begun.error()));
  // Until it is known what was taken, nothing in the store is ended.
  given_up_by_ = 0;
  auto taking = take_in_transaction(from, requests, own);
  auto ended = connection_->run_script(taking ? "COMMIT" : "ROLLBACK");
  if (taking && ended) {
    for (const store::Shipment& one : taking->sessions) note_taken(one, from, taking->left);
    tails_pending_ = true;
    given_up_by_ = own.incarnation;
    return std::move(taking->outcomes);
  }
  // Nothing was taken, or that is unknown: the store is examined again.
  entered();
  return tl::unexpected(std::move(taking ? ended.error() : taking.error()));
}

DatabaseResult<Ownership::Taking> Ownership::take_in_transaction(std::int64_t from,
                                                                 const Requests& requests,
                                                                 const OwnNode& own) {
  auto fenced = fence(*connection_, from, own.incarnation);
  if (!fenced) return tl::unexpected(std::move(fenced.error()));
  if (!*fenced) return Taking{Outcomes(requests.size(), Taken::held), {}};
  Taking taking{Outcomes(requests.size(), Taken::moved), {}, (*fenced)->left};
  std::vector<StoreCall<bool>> imports;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Request& one = requests[i];
    auto mine = ownership::take(*connection_, one.session_id, **fenced, own.incarnation);
    if (!mine) return tl::unexpected(std::move(mine.error()));
    if (!*mine) continue;
    auto content = read_session(*connection_, one.session_id);
    if (!content) return tl::unexpected(std::move(content.error()));
    taking.outcomes[i] = Taken::here;
    // A session that is taken only to be ended (Reason::reaper) has waited for long enough.
    const TimeMs since = one.reason == Reason::client ? now().wall : 1;
    store::MovedSession moved{*content, since, (*fenced)->expects_tail};
    taking.sessions.push_back(*std::move(content));
    imports.emplace_back(
        [&](auto done) { parts_.moving.import_session(std::move(moved), std::move(done)); });
  }
  for (StoreCall<bool>& one : imports) {
    const auto imported = one.wait(store_patience);
    if (!imported) return database_error(Trouble::conflict, imported.error().message);
    if (!*imported)
      return database_error(Trouble::conflict, "this relay has an open attempt of the session");
  }
  return taking;
}

/// It waits for its client now.
void Ownership::note_taken(const store::Shipment& taken, std::int64_t from, bool left) {
  if (taken.sessions.empty()) return;
  const store::ShippedSession& session = taken.sessions.front();
  for (const store::ShippedAttempt& one : taken.attempts) {
    if (one.ended_at || one.status == static_cast<int>(transcript::SessionStatus::created))
      continue;
    parts_.suspended.add({session.id, session.user, !one.suspended_at.has_value()});
  }
  parts_.log.warn("fleet.taken_over",
                  {{"session", session.id},
                   {"from", from},
                   {"events", taken.events.size()},
                   {"why", left ? "its relay has left" : "its relay's lease was over"}});
}

// --- giving up ----------------------------------------------------------------------------------

/// Other nodes may have taken sessions over that this node's store has open.
DatabaseResult<> Ownership::give_up_lost(const OwnNode& own) {
  StoreCall<std::vector<store::OpenSession>> open(
      [&](auto done) { parts_.moving.open_sessions(std::move(done)); });
  const auto stored = open.wait(store_patience);
  if (!stored) return tl::unexpected(stored.error());
  std::vector<std::string> ids = parts_.registry.ids();
  for (const store::OpenSession& one : *stored) ids.push_back(one.id);
  const auto lost = find_lost(*connection_, ids, own.incarnation);
  if (!lost) return tl::unexpected(lost.error());
  if (auto done = give_up(*lost, own); !done) return done;
  for (const store::OpenSession& open : *stored) {
    const bool gone = std::any_of(lost->begin(), lost->end(),
                                  [&](const Lost& one) { return one.session_id == open.id; });
    // Taken over by a transaction of which the end was not known.
    if (!gone && !parts_.registry.user_of(open.id))
      parts_.suspended.add({open.id, open.user, true});
  }
  given_up_by_ = own.incarnation;
  return {};
}

DatabaseResult<> Ownership::give_up(const std::vector<Lost>& lost, const OwnNode& own) {
  std::vector<std::string> ids;
  for (const Lost& one : lost) ids.push_back(one.session_id);
  auto ended = end_here(ids, "another relay of the fleet has the session now");
  if (!ended) return ended;
  for (const Lost& one : lost)
    if (auto left = leave_tails_of(one, own); !left) return left;
  return {};
}

DatabaseResult<> Ownership::end_here(const std::vector<std::string>& session_ids,
                                     const std::string& why) {
  for (const std::string& id : session_ids) {
    parts_.suspended.forget(id);
    parts_.registry.suspend(id, why);
  }
  const auto until = Clock::now() + release_patience;
  for (const std::string& id : session_ids) {
    while (parts_.registry.user_of(id)) {
      if (Clock::now() >= until)
        return database_error(Trouble::other, "a session of another relay does not end here");
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, release_look, [this] { return stopping_; }))
        return database_error(Trouble::unreachable, "stopping");
    }
  }
  return {};
}

// --- following erasures -------------------------------------------------------------------------

/// An erasure of a session that the store does not have is confirmed at once. An erasure in the
/// store is a change of it: the shipper confirms that one, behind everything that it may still send
/// of the session.
DatabaseResult<> Ownership::follow_erasures(const OwnNode& own) {
  const bool all = Clock::now() >= all_erasures_at_;
  bool more = true;
  for (int round = 0; more && round < erasure_rounds_max; ++round) {
    auto found = find_erasures(*connection_, all, own.incarnation);
    if (!found) return tl::unexpected(std::move(found.error()));
    more = found->size() == static_cast<std::size_t>(erasures_at_once);
    std::erase_if(*found, [this](const std::string& id) { return erased_here_.contains(id); });
    if (found->empty()) break;
    if (auto erased = erase_here(*found); !erased) return erased;
    std::erase_if(*found, [this](const std::string& id) { return erased_here_.contains(id); });
    if (auto confirmed = confirm_erased(*connection_, *found, own.incarnation); !confirmed)
      return confirmed;
  }
  if (all) all_erasures_at_ = Clock::now() + all_erasures_interval;
  return {};
}

DatabaseResult<> Ownership::erase_here(const std::vector<std::string>& session_ids) {
  StoreCall<std::vector<store::StoredSession>> looking(
      [&](auto done) { parts_.moving.find_stored(session_ids, std::move(done)); });
  const auto stored = looking.wait(store_patience);
  if (!stored) return tl::unexpected(stored.error());
  std::map<std::string, bool> tokens_alone;
  std::vector<std::string> whole;
  for (const store::StoredSession& one : *stored) {
    tokens_alone[one.id] = one.tokens_alone;
    if (!one.tokens_alone) whole.push_back(one.id);
  }
  if (auto ended = end_here(whole, "another relay of the fleet has erased the session"); !ended)
    return ended;
  for (const std::string& id : session_ids) {
    const bool here = tokens_alone.contains(id);
    StoreCall<void> erasing([&](auto done) { parts_.erase(id, here, std::move(done)); });
    if (const auto erased = erasing.wait(store_patience); !erased)
      return tl::unexpected(erased.error());
    if (!here || tokens_alone[id]) continue;
    erased_here_.insert(id);
    parts_.log.info("fleet.erased_here",
                    {{"session", id}, {"why", "another relay of the fleet has erased it"}});
  }
  return {};
}

DatabaseResult<> Ownership::leave_tails_of(const Lost& lost, const OwnNode& own) {
  StoreCall<std::vector<store::Tail>> reading(
      [&](auto done) { parts_.moving.tails_of(lost.session_id, lost.shipped, std::move(done)); });
  const auto tails = reading.wait(store_patience);
  if (!tails) return tl::unexpected(tails.error());
  std::vector<TailRow> rows;
  std::size_t turns = 0;
  for (const store::Tail& one : *tails) {
    rows.push_back({{lost.session_id, one.attempt}, {}, transcript::encode_turns(one.turns)});
    turns += one.turns.size();
  }
  if (auto left = leave_tails(*connection_, lost, rows, own.incarnation); !left) return left;
  StoreCall<void> forgetting(
      [&](auto done) { parts_.moving.forget_session(lost.session_id, std::move(done)); });
  if (const auto gone = forgetting.wait(store_patience); !gone) return tl::unexpected(gone.error());
  parts_.log.warn("fleet.given_up_session",
                  {{"session", lost.session_id},
                   {"turns_left", turns},
                   {"now", "another relay of the fleet has it, and gets the turns that it lacks"}});
  return {};
}

// --- looking after other nodes ------------------------------------------------------------------

DatabaseResult<> Ownership::look(const OwnNode& own) {
  if (auto done = adopt_tails(own); !done) return done;
  if (auto done = end_pending_tails(); !done) return done;
  if (auto done = follow_erasures(own); !done) return done;
  if (Clock::now() < orphans_at_) return {};
  orphans_at_ = Clock::now() + parts_.settings.dead_after / orphan_looks;
  return take_orphans(own);
}

/// A tail is a copy of one more writer, so the order in which tails come does not matter.
DatabaseResult<> Ownership::adopt_tails(const OwnNode& own) {
  const auto tails = find_tails(*connection_, own.incarnation);
  if (!tails) return tl::unexpected(tails.error());
  for (const TailRow& one : *tails) {
    auto turns = transcript::decode_turns(one.turns);
    if (!turns) continue;
    store::PostedCopy copy;
    copy.session_id = one.attempt.session_id;
    copy.attempt = one.attempt.number;
    copy.copy = {transcript::relay_writer, *std::move(turns)};
    copy.now = now().wall;
    StoreCall<store::KeptCopy> keeping(
        [&](auto done) { parts_.copies.keep_copy(std::move(copy), std::move(done)); });
    const auto kept = keeping.wait(store_patience);
    if (!kept) {
      parts_.log.error("fleet.tail_not_kept",
                       {{"session", one.attempt.session_id}, {"why", kept.error().message}});
      continue;
    }
    if (auto removed = remove_tail(*connection_, one); !removed) return removed;
    parts_.log.info("fleet.tail", {{"session", one.attempt.session_id},
                                   {"attempt", one.attempt.number},
                                   {"node_id", one.node_id},
                                   {"new", kept->is_new}});
  }
  return {};
}

/// A node has left its tail, or an operator has given the node up.
DatabaseResult<> Ownership::end_pending_tails() {
  if (!tails_pending_) return {};
  StoreCall<std::vector<store::AttemptName>> reading(
      [&](auto done) { parts_.moving.pending_tails(std::move(done)); });
  const auto here = reading.wait(store_patience);
  if (!here) return tl::unexpected(here.error());
  if (here->empty()) {
    tails_pending_ = false;
    return {};
  }
  const auto there = find_pending(*connection_, *here);
  if (!there) return tl::unexpected(there.error());
  for (const store::AttemptName& one : *here) {
    if (std::find(there->begin(), there->end(), one) != there->end()) continue;
    StoreCall<void> ending(
        [&](auto done) { parts_.moving.end_pending_tail(one, std::move(done)); });
    if (const auto ended = ending.wait(store_patience); !ended)
      return tl::unexpected(ended.error());
  }
  return {};
}

/// Sessions of dead nodes for which no client has come: they end here.
DatabaseResult<> Ownership::take_orphans(const OwnNode& own) {
  const auto orphans = find_orphans(*connection_, parts_.settings.dead_after);
  if (!orphans) return tl::unexpected(orphans.error());
  Requests requests;
  for (const Orphan& one : *orphans)
    requests.push_back({one.session_id, one.incarnation, Reason::reaper, [](Taken) {}});
  answer(std::move(requests), own);
  return {};
}

}  // namespace verbatim::ownership
