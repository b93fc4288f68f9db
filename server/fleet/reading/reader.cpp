#include "server/fleet/reading/reader.hpp"

#include <string>

#include "base/thread_name.hpp"

namespace verbatim::reading {

using database::DatabaseError;
using database::Trouble;

namespace {

/// Reads that may wait; one more is answered with an error.
constexpr std::size_t reads_waiting_max = 1000;

/// The server gives a statement up at the time at which the thread does.
std::string limits(const config::Fleet& settings) {
  return "SET statement_timeout = " + std::to_string(settings.silence_max.count()) +
         "; SET client_min_messages = warning";
}

}  // namespace

Reader::Reader(const config::Fleet& settings, const char* name, Log& log)
    : name_(name),
      log_(log),
      connection_(settings, "verbatim " + std::string(name), limits(settings)),
      thread_([this] { work(); }) {}

Reader::~Reader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  connection_.stop();
  wake_.notify_all();
  thread_.join();
  for (; waiting_count_ > 0; --waiting_count_)
    waiting_.pop().fail({Trouble::unreachable, {}, "stopping"});
}

void Reader::push(const std::string& share, Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && waiting_count_ < reads_waiting_max) {
      waiting_.push(share, std::move(job));
      ++waiting_count_;
      wake_.notify_one();
      return;
    }
  }
  job.fail({Trouble::other, {}, "too many reads wait for the fleet's database"});
}

// --- the thread ---------------------------------------------------------------------------------

void Reader::work() {
  name_this_thread(name_);
  give_way();
  while (const auto job = next()) perform(*job);
}

/// Waits for work; nullopt when the thread must end.
std::optional<Reader::Job> Reader::next() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || waiting_count_ > 0; });
  if (stopping_) return std::nullopt;
  --waiting_count_;
  return waiting_.pop();
}

void Reader::perform(const Job& job) {
  const bool was_open = connection_.is_open();
  if (auto connected = connection_.connect(); !connected) {
    report(connected.error());
    return job.fail(std::move(connected.error()));
  }
  Outcome outcome = job.work(*connection_, !(was_open && job.again));
  if (!outcome.error) return;
  // Nothing of a transaction that failed may be left, so each error ends the connection.
  connection_.close();
  if (outcome.answered) return report(*outcome.error);
  if (auto connected = connection_.connect(); !connected) {
    report(connected.error());
    return job.fail(std::move(connected.error()));
  }
  outcome = job.work(*connection_, true);
  if (!outcome.error) return;
  connection_.close();
  report(*outcome.error);
}

void Reader::report(const DatabaseError& error) {
  const LineLimit::Verdict verdict = trouble_line_.take(Clock::now());
  if (!verdict.write) return;
  log_.warn("fleet.not_read", {{"kind", database::to_string(error.trouble)},
                               {"why", error.message},
                               {"sqlstate", error.sqlstate},
                               {"left_out", verdict.left_out},
                               {"now",
                                "lists, and sessions of relays that do not answer, get "
                                "503"}});
}

}  // namespace verbatim::reading
