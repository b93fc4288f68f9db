#include "server/fleet/reading/left_copies.hpp"

#include <chrono>
#include <memory>
#include <utility>

#include "server/net/from_callback.hpp"

namespace verbatim::reading {

using database::Connection;
using database::DatabaseResult;

namespace {

/// A node that comes back lacks such copies for at most this long.
constexpr auto look_interval = std::chrono::seconds(2);
constexpr std::int64_t taken_at_once = 20;

}  // namespace

net::Awaitable<void> LeftCopies::take_always(net::Executor executor) {
  net::Timer timer(executor);
  while (true) {
    const bool more = incarnation_() != 0 && co_await take(executor);
    if (more) continue;
    timer.expires_after(look_interval);
    co_await timer.async_wait(net::use_tuple);
  }
}

/// True if there may be more.
net::Awaitable<bool> LeftCopies::take(net::Executor executor) {
  using Found = DatabaseResult<std::vector<LeftCopy>>;
  auto found = co_await net::from_callback<Found>(executor, [this](auto done) {
    reader_.run<std::vector<LeftCopy>>(
        {}, true,
        [own = incarnation_()](Connection& connection) {
          return find_left_copies(connection, own, taken_at_once);
        },
        done);
  });
  if (!found) co_return false;
  for (LeftCopy& copy : *found)
    if (!co_await take_one(executor, std::move(copy))) co_return false;
  co_return found->size() == taken_at_once;
}

net::Awaitable<bool> LeftCopies::take_one(net::Executor executor, LeftCopy copy) {
  store::PostedCopy posted;
  posted.session_id = copy.attempt.session_id;
  posted.attempt = copy.attempt.number;
  posted.now = copy.posted_at;
  posted.body = copy.body;
  auto turns = transcript::decode_turns(copy.body);
  if (turns) posted.copy = {copy.writer, *std::move(turns)};
  if (turns) {
    const auto kept = co_await net::from_callback<store::StoreResult<store::KeptCopy>>(
        executor, [&](auto done) { own_.keep_copy(std::move(posted), done); });
    const bool gone = !kept && kept.error().failure() == store::Failure::not_found;
    if (!kept && !gone) co_return false;
    if (gone)
      log_.warn("fleet.copy_without_session",
                {{"session", copy.attempt.session_id}, {"attempt", copy.attempt.number}});
  } else {
    log_.error("fleet.copy_unreadable",
               {{"session", copy.attempt.session_id}, {"attempt", copy.attempt.number}});
  }
  const auto noted = co_await net::from_callback<DatabaseResult<>>(executor, [&](auto done) {
    reader_.run<void>(
        {}, true, [copy](Connection& connection) { return note_taken(connection, copy); }, done);
  });
  co_return noted.has_value();
}

}  // namespace verbatim::reading
