// The consequences of a target's answer.
#include "server/webhooks/verdict.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using namespace verbatim::webhooks;
using namespace std::chrono_literals;

namespace {

constexpr TimeMs called_at = 1'445'412'480'000;  // 21 Oct 2015 07:28:00 GMT
using Pause = std::optional<std::chrono::milliseconds>;

}  // namespace

TEST_CASE("2xx is delivered, 4xx is refused unless it is for now, all else is tried again",
          "[webhook]") {
  for (const int status : {200, 201, 202, 204, 299})
    CHECK(verdict_of(status) == Verdict::delivered);
  for (const int status :
       {0, 100, 199, 300, 301, 302, 304, 308, 408, 425, 429, 500, 502, 503, 504, 599, 600})
    CHECK(verdict_of(status) == Verdict::failed);
  for (const int status : {400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 451, 499})
    CHECK(verdict_of(status) == Verdict::refused);
  CHECK(verdict_of(410) == Verdict::gone);
}

TEST_CASE("Retry-After is seconds or any form of HTTP date", "[webhook]") {
  CHECK(read_retry_after("8", "", called_at) == Pause(8s));
  CHECK(read_retry_after("0", "", called_at) == Pause(0s));
  for (const char* date : {"Wed, 21 Oct 2015 07:29:30 GMT", "Wednesday, 21-Oct-15 07:29:30 GMT",
                           "Wed Oct 21 07:29:30 2015"})
    CHECK(read_retry_after(date, "", called_at) == Pause(90s));
}

TEST_CASE("a date counts from the answer's own date, since clocks differ", "[webhook]") {
  const char* const then = "Wed, 21 Oct 2015 09:00:30 GMT";
  CHECK(read_retry_after(then, "Wed, 21 Oct 2015 09:00:00 GMT", called_at) == Pause(30s));
  CHECK(read_retry_after(then, "yesterday-ish", called_at - 0) == Pause(92min + 30s));
}

TEST_CASE("a Retry-After that is past, endless or nonsense does no harm", "[P11][webhook]") {
  CHECK(read_retry_after("Wed, 21 Oct 2015 07:00:00 GMT", "", called_at) == Pause(0s));
  const auto endless = read_retry_after("99999999999999999999999999", "", called_at);
  REQUIRE(endless);
  CHECK(*endless > 24h);
  CHECK(*endless < 24h * 400);
  for (const char* nonsense : {"", "soon", "-5", "8, 9", "1.5", "0x10"})
    CHECK_FALSE(read_retry_after(nonsense, "", called_at));
}

TEST_CASE("the kept beginning of an answer is UTF-8 and bounded", "[P11][webhook]") {
  CHECK(kept_answer("sorry", 1024) == "sorry");
  CHECK(kept_answer("sorry", 3) == "sor");
  CHECK(kept_answer("sorry", 0).empty());
  CHECK(kept_answer("a\xC3\xA9", 2) == "a");
  CHECK(kept_answer("a\xC3\xA9", 3) == "a\xC3\xA9");
  CHECK(kept_answer(std::string_view("a\xFF\0b", 4), 1024) ==
        "a\xEF\xBF\xBD\xEF\xBF\xBD"
        "b");
}
