#include "server/api/requests/posted_time.hpp"

#include <charconv>
#include <chrono>
#include <cmath>

namespace verbatim::requests {

namespace {

/// Reads a text from the front, one expected part at a time. After the first required part that is
/// missing, the scan has failed for good.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  /// A number of exactly `count` digits.
  int digits(std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (i >= rest_.size() || rest_[i] < '0' || rest_[i] > '9') return fail();
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  bool take(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    taken_ = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }
  void require(std::string_view any_of) {
    if (!take(any_of)) fail();
  }
  /// The first three digits of a fraction, as milliseconds; the rest is passed over.
  int milliseconds() {
    int value = 0, digits = 0;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; ++digits) {
      if (digits < 3) value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    if (digits == 0) return fail();
    for (; digits < 3; ++digits) value *= 10;
    return value;
  }
  char taken() const { return taken_; }
  bool at_end() const { return rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  int fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  char taken_ = 0;
  bool ok_ = true;
};

std::chrono::minutes read_offset(Scanner& scanner) {
  if (scanner.take("Zz") || !scanner.take("+-")) return {};
  const int sign = scanner.taken() == '-' ? -1 : 1;
  const int hours = scanner.digits(2);
  const bool more = scanner.take(":") || !scanner.at_end();
  const int minutes = more ? scanner.digits(2) : 0;
  if (hours > 23 || minutes > 59) scanner.require("");
  return std::chrono::minutes(sign * (hours * 60 + minutes));
}

std::optional<TimeMs> within_range(TimeMs time) {
  if (time < 0 || time > posted_time_max) return std::nullopt;
  return time;
}

}  // namespace

std::optional<TimeMs> read_posted_time(double number) {
  constexpr double seconds_below = 1e11, milliseconds_below = 1e15, microseconds_below = 1e17;
  if (!std::isfinite(number) || number < 0 || number >= 1e19) return std::nullopt;
  if (number < seconds_below) return within_range(std::llround(number * 1000));
  if (number < milliseconds_below) return within_range(static_cast<TimeMs>(number));
  return within_range(static_cast<TimeMs>(number / (number < microseconds_below ? 1e3 : 1e6)));
}

std::optional<TimeMs> read_posted_time(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  if (const auto [stop, error] = std::from_chars(text.data(), end, number);
      error == std::errc() && stop == end)
    return read_posted_time(number);

  using namespace std::chrono;
  Scanner scanner(text);
  const int years = scanner.digits(4);
  scanner.require("-");
  const int months = scanner.digits(2);
  scanner.require("-");
  const int of_month = scanner.digits(2);
  const year_month_day date(year(years), month(static_cast<unsigned>(months)),
                            day(static_cast<unsigned>(of_month)));
  if (!scanner.ok() || !date.ok()) return std::nullopt;
  milliseconds time = sys_days(date).time_since_epoch();
  if (scanner.take("Tt ")) {
    const int hours_of_day = scanner.digits(2);
    scanner.require(":");
    const int minutes_of_hour = scanner.digits(2);
    int seconds_of_minute = 0, fraction = 0;
    if (scanner.take(":")) seconds_of_minute = scanner.digits(2);
    if (scanner.take(".,")) fraction = scanner.milliseconds();
    if (hours_of_day > 23 || minutes_of_hour > 59 || seconds_of_minute > 60) return std::nullopt;
    time += hours(hours_of_day) + minutes(minutes_of_hour) + seconds(seconds_of_minute) +
            milliseconds(fraction) - read_offset(scanner);
  }
  if (!scanner.ok() || !scanner.at_end()) return std::nullopt;
  return within_range(time.count());
}

}  // namespace verbatim::requests
