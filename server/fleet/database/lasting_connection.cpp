#include "server/fleet/database/lasting_connection.hpp"

#include <random>
#include <utility>

namespace verbatim::database {

LastingConnection::LastingConnection(const config::Fleet& settings, std::string application,
                                     std::string first)
    : settings_(settings),
      application_(std::move(application)),
      first_(std::move(first)),
      backoff_(backoff_between(settings.retry_min, settings.retry_max, std::random_device()())) {}

DatabaseResult<> LastingConnection::connect() {
  if (connection_) return {};
  if (Clock::now() < connect_at_) return tl::unexpected(error_);
  auto opened = Connection::open(settings_, application_, stop_.fd());
  if (opened && !first_.empty()) {
    if (auto begun = opened->run_script(first_.c_str()); !begun)
      opened = tl::unexpected(std::move(begun.error()));
  }
  if (!opened) {
    close_and_pause(std::move(opened.error()));
    return tl::unexpected(error_);
  }
  backoff_.reset();
  connection_.emplace(*std::move(opened));
  return {};
}

void LastingConnection::close_and_pause(DatabaseError why) {
  connection_.reset();
  if (Clock::now() < connect_at_) return;  // else users who go on asking would put it off for ever
  error_ = std::move(why);
  connect_at_ = Clock::now() + std::chrono::milliseconds(backoff_.pause());
  backoff_.failed();
}

}  // namespace verbatim::database
