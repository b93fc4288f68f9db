#include "server/fleet/database/connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "server/fleet/database/conninfo.hpp"

namespace verbatim::database {
namespace {

constexpr std::size_t outstanding_max = 100'000;  // a bug, not a load: batches are few

tl::unexpected<DatabaseError> of_result(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return tl::unexpected(read_error(PQresultErrorMessage(result), state == nullptr ? "" : state));
}

bool is_error(ExecStatusType status) {
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
         status == PGRES_PIPELINE_ABORTED || status == PGRES_NONFATAL_ERROR;
}

/// Whether the first error explains more: a member that answered explains more than one that did
/// not.
bool says_more(const DatabaseError& one, const DatabaseError& other) {
  return one.trouble != Trouble::unreachable && other.trouble == Trouble::unreachable;
}

std::chrono::milliseconds left_until(Connection::Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Connection::Clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

}  // namespace

Rows::Rows(pg_result* result) : result_(result, PQclear) {}
int Rows::count() const { return PQntuples(result_.get()); }
int Rows::columns() const { return PQnfields(result_.get()); }
bool Rows::is_null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}
std::string Rows::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}
std::vector<std::string> Rows::texts(int column) const {
  std::vector<std::string> all;
  for (int row = 0; row < count(); ++row) all.push_back(text(row, column));
  return all;
}
std::int64_t Rows::integer(int row, int column) const {
  const std::string digits = text(row, column);
  std::int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}
bool Rows::flag(int row, int column) const { return text(row, column) == "t"; }
std::int64_t Rows::changed() const {
  const std::string digits = PQcmdTuples(result_.get());
  std::int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}
std::string Rows::bytes(int row, int column) const {
  const std::string written = text(row, column);
  std::size_t size = 0;
  unsigned char* plain =
      PQunescapeBytea(reinterpret_cast<const unsigned char*>(written.c_str()), &size);
  if (plain == nullptr) return {};
  std::string out(reinterpret_cast<const char*>(plain), size);
  PQfreemem(plain);
  return out;
}

void Connection::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

Connection::Connection(pg_conn* connection, int stop, std::chrono::milliseconds patience)
    : connection_(connection), stop_(stop), patience_(patience) {}

DatabaseResult<Connection> Connection::open(const config::Fleet& settings,
                                            const std::string& application, int stop) {
  DatabaseError best{Trouble::unreachable, {}, "no member of fleet.url answers"};
  bool first = true;
  for (const std::string& member : members_of(settings)) {
    auto opened = open_member(settings, application, member, stop);
    if (opened) return opened;
    if (first || says_more(opened.error(), best)) best = std::move(opened.error());
    first = false;
  }
  return tl::unexpected(std::move(best));
}

DatabaseResult<Connection> Connection::open_member(const config::Fleet& settings,
                                                   const std::string& application,
                                                   const std::string& member, int stop) {
  const Conninfo info = conninfo(settings, member, application);
  Connection made(PQconnectStartParams(info.keywords().data(), info.values().data(), 0), stop,
                  settings.silence_max);
  if (!made.connection_) return database_error(Trouble::other, "out of memory");
  PQsetNoticeReceiver(
      made.connection_.get(),
      [](void* to, const PGresult* notice) {
        const char* state = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
        if (state == nullptr || std::string_view(state).substr(0, 2) != "01") return;
        static_cast<State*>(to)->warning = read_error(PQresultErrorMessage(notice), state).message;
      },
      made.state_.get());
  if (auto connected = made.wait_connected(Clock::now() + settings.connect_timeout); !connected)
    return tl::unexpected(std::move(connected.error()));
  if (PQsetnonblocking(made.connection_.get(), 1) != 0)
    return tl::unexpected(made.error_of_connection());
  made.events_ = POLLIN;
  return made;
}

DatabaseResult<> Connection::wait_connected(Clock::time_point until) {
  PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
  if (PQstatus(connection_.get()) == CONNECTION_BAD) return tl::unexpected(error_of_connection());
  while (wanted != PGRES_POLLING_OK) {
    if (wanted == PGRES_POLLING_FAILED) return tl::unexpected(error_of_connection());
    const short events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (auto ready = wait(events, until); !ready) return ready;
    wanted = PQconnectPoll(connection_.get());
  }
  return {};
}

DatabaseResult<> Connection::wait(short events, Clock::time_point until) {
  while (true) {
    const auto left = left_until(until);
    pollfd both[] = {{PQsocket(connection_.get()), events, 0}, {stop_, POLLIN, 0}};
    const int ready = ::poll(both, 2, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (both[1].revents != 0) return database_error(Trouble::unreachable, "stopping");
    if (ready == 0)
      return database_error(
          Trouble::unreachable,
          "the database does not answer" + (member().empty() ? std::string() : " at " + member()));
    return {};
  }
}

DatabaseError Connection::error_of_connection() const {
  return read_error(PQerrorMessage(connection_.get()), "");
}

int Connection::socket() const { return PQsocket(connection_.get()); }

std::string Connection::member() const {
  const char* host = PQhost(connection_.get());
  const char* port = PQport(connection_.get());
  if (host == nullptr || port == nullptr) return {};
  return authority(host, port);
}

DatabaseResult<> Connection::flush() {
  const int left = PQflush(connection_.get());
  if (left < 0) return tl::unexpected(error_of_connection());
  events_ = static_cast<short>(left > 0 ? POLLIN | POLLOUT : POLLIN);
  return {};
}

DatabaseResult<Rows> Connection::wait_for_result() {
  const auto until = Clock::now() + patience_;
  std::optional<Rows> last;
  std::optional<DatabaseError> error;
  while (true) {
    if (auto flushed = flush(); !flushed) return tl::unexpected(std::move(flushed.error()));
    while (PQisBusy(connection_.get()) == 0) {
      PGresult* const result = PQgetResult(connection_.get());
      if (result == nullptr) {
        if (error) return tl::unexpected(*std::move(error));
        if (!last) return database_error(Trouble::other, "a statement has no result");
        return *std::move(last);
      }
      Rows rows(result);
      if (is_error(PQresultStatus(result)) && !error) error = of_result(result).value();
      last = std::move(rows);
    }
    if (auto ready = wait(events_, until); !ready) return tl::unexpected(std::move(ready.error()));
    if (PQconsumeInput(connection_.get()) == 0) return tl::unexpected(error_of_connection());
  }
}

DatabaseResult<Rows> Connection::run(const Statement& statement, const Params& params) {
  const int sent =
      PQsendQueryParams(connection_.get(), statement.sql, params.count(), params.types().data(),
                        params.values().data(), params.lengths().data(),
                        std::vector<int>(static_cast<std::size_t>(params.count()), 1).data(), 0);
  if (sent == 0) return tl::unexpected(error_of_connection());
  return wait_for_result();
}

DatabaseResult<Rows> Connection::run_script(const char* sql) {
  if (PQsendQuery(connection_.get(), sql) == 0) return tl::unexpected(error_of_connection());
  return wait_for_result();
}

DatabaseResult<> Connection::begin_pipeline() {
  if (PQenterPipelineMode(connection_.get()) == 0) return tl::unexpected(error_of_connection());
  return {};
}

DatabaseResult<> Connection::send(const Statement& statement, const Params& params) {
  const std::vector<int> binary(static_cast<std::size_t>(params.count()), 1);
  const bool named = *statement.name != '\0';
  if (named && prepared_.insert(statement.name).second) {
    if (PQsendPrepare(connection_.get(), statement.name, statement.sql, params.count(),
                      params.types().data()) == 0)
      return tl::unexpected(error_of_connection());
    outstanding_.push_back(Expected::preparation);
  }
  const int sent =
      named ? PQsendQueryPrepared(connection_.get(), statement.name, params.count(),
                                  params.values().data(), params.lengths().data(), binary.data(), 0)
            : PQsendQueryParams(connection_.get(), statement.sql, params.count(),
                                params.types().data(), params.values().data(),
                                params.lengths().data(), binary.data(), 0);
  if (sent == 0 || outstanding_.size() > outstanding_max)
    return tl::unexpected(error_of_connection());
  outstanding_.push_back(Expected::statement);
  return {};
}

DatabaseResult<> Connection::sync() {
  if (PQpipelineSync(connection_.get()) == 0) return tl::unexpected(error_of_connection());
  outstanding_.push_back(Expected::sync);
  return flush();
}

DatabaseResult<std::optional<Connection::Arrived>> Connection::receive() {
  if (auto flushed = flush(); !flushed) return tl::unexpected(std::move(flushed.error()));
  if (PQconsumeInput(connection_.get()) == 0) return tl::unexpected(error_of_connection());
  while (!outstanding_.empty() && PQisBusy(connection_.get()) == 0) {
    PGresult* const result = PQgetResult(connection_.get());
    if (result == nullptr) {  // the end of a statement's results
      if (outstanding_.front() != Expected::sync) outstanding_.pop_front();
      continue;
    }
    Rows rows(result);
    const ExecStatusType status = PQresultStatus(result);
    if (is_error(status)) return of_result(result);
    if (status == PGRES_PIPELINE_SYNC) {
      outstanding_.pop_front();
      return std::optional(Arrived{true, std::nullopt});
    }
    if (outstanding_.front() == Expected::statement)
      return std::optional(Arrived{false, std::move(rows)});
  }
  if (PQstatus(connection_.get()) == CONNECTION_BAD) return tl::unexpected(error_of_connection());
  return std::optional<Arrived>();
}

}  // namespace verbatim::database
