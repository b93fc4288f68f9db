// The limit on log lines a second.
#include "base/line_limit.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "base/log.hpp"

using namespace std::chrono_literals;
using namespace verbatim;

namespace {

const LineLimit::Time start = LineLimit::Time(1h);

/// The text that is written to standard error meanwhile.
class Written {
 public:
  Written() : before_(::dup(STDERR_FILENO)), file_(std::tmpfile()) {
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  ~Written() { stop(); }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  std::string stop() {
    if (before_ < 0) return {};
    ::dup2(before_, STDERR_FILENO);
    ::close(std::exchange(before_, -1));
    std::string text(static_cast<std::size_t>(::lseek(::fileno(file_), 0, SEEK_END)), '\0');
    const auto read = ::pread(::fileno(file_), text.data(), text.size(), 0);
    std::fclose(file_);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(read, 0)));
    return text;
  }

 private:
  int before_;
  std::FILE* file_;
};

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a limit of one line in ten seconds counts what it omits between two lines", "[log]") {
  LineLimit limit(1, 10s);
  CHECK(limit.take(start).write);
  CHECK_FALSE(limit.take(start + 9999ms).write);
  CHECK_FALSE(limit.take(start + 9999ms).write);
  const auto next = limit.take(start + 10s);
  CHECK(next.write);
  CHECK(next.left_out == 2);
}

TEST_CASE("a limited number of lines a second is written, and the number left out is reported once",
          "[log][P11]") {
  LineLimit limit(3);
  std::size_t written = 0;
  for (int i = 0; i < 1000; ++i) written += limit.take(start + i * 100us).write ? 1 : 0;
  CHECK(written == 3);
  CHECK(limit.take_left_out(start + 999ms) == 0);  // its second is not over
  CHECK(limit.take_left_out(start + 1s) == 997);
  CHECK(limit.take_left_out(start + 1s) == 0);
}

TEST_CASE("the next second begins with the number of lines left out", "[log]") {
  LineLimit limit(1);
  CHECK(limit.take(start).write);
  CHECK_FALSE(limit.take(start).write);
  CHECK_FALSE(limit.take(start + 999ms).write);
  const auto next = limit.take(start + 1s);
  CHECK(next.write);
  CHECK(next.left_out == 2);
  CHECK(limit.take_left_out(start + 5s) == 0);
}

TEST_CASE("with a limit of nothing every line is written", "[log]") {
  LineLimit limit(0);
  for (int i = 0; i < 1000; ++i) CHECK(limit.take(start).write);
  CHECK(limit.take_left_out(start + 1h) == 0);
}

TEST_CASE("on many threads no line is lost: each is written or counted", "[log]") {
  LineLimit limit(10);
  std::atomic<std::uint64_t> written{0}, reported{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) {
        const auto verdict = limit.take(start + n * 1ms);
        written += verdict.write ? 1 : 0;
        reported += verdict.left_out;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(written + reported + limit.take_left_out(start + 1h) == 40'000);
}

TEST_CASE("a kind of line that strangers cause leaves room for the other kinds", "[log][P11]") {
  LogOptions options;
  options.lines_per_second = 2;
  Log log(options);
  Written written;
  for (int i = 0; i < 500; ++i)
    log.repeated(Repeated::upgrade_refused, {{"status", 401}, {"remote", "203.0.113.9"}}, start);
  log.repeated(Repeated::proxy_header, {{"why", "x"}}, start);
  log.repeated(Repeated::handshake_failed, {{"why", "y"}}, start);
  for (int i = 0; i < 20; ++i) log.info("session.opened");
  log.report_left_out(start + 1s);
  log.report_left_out(start + 2s);
  const std::string text = written.stop();
  CHECK(count(text, "info upgrade.refused status=401") == 2);
  CHECK(count(text, "upgrade.refused left_out=498") == 1);
  CHECK(count(text, "left_out") == 1);
  CHECK(count(text, "warn connection.proxy_header") == 1);
  CHECK(count(text, "info connection.handshake_failed") == 1);
  CHECK(count(text, "session.opened") == 20);
}
