// The texts with which a client names a page of a list.
#include <cstdint>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "storage/store/delivery_cursor.hpp"
#include "storage/store/session_cursor.hpp"

using namespace verbatim;
using namespace verbatim::store;

TEST_CASE("the cursor of a list of sessions reads back in its own order, and in no other",
          "[store][values]") {
  const std::string strange("a.b\0ü", 6);
  const auto back = [](SessionSort sort, const SessionCursor& cursor) {
    return parse_session_cursor(sort, to_string(sort, cursor));
  };
  CHECK(back(SessionSort::created_last, {7, {}, {}})->id == 7);
  const auto by_end = back(SessionSort::ended_first, {8, 1234, {}});
  CHECK((by_end->id == 8 && by_end->time == 1234));
  CHECK_FALSE(back(SessionSort::ended_last, {9, {}, {}})->time);
  CHECK(back(SessionSort::user_z_to_a, {10, {}, strange})->text == strange);
  CHECK(back(SessionSort::user_a_to_z, {10, {}, ""})->text.empty());

  const std::string by_creation = to_string(SessionSort::created_last, {7, {}, {}});
  CHECK_FALSE(parse_session_cursor(SessionSort::ended_last, by_creation));
  CHECK_FALSE(parse_session_cursor(SessionSort::created_last,
                                   to_string(SessionSort::ended_last, {7, 1, {}})));
}

TEST_CASE("a text that is not a cursor of a list of sessions is refused", "[store][values]") {
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1x", "0x1", "9223372036854775808", "1."})
    CHECK_FALSE(parse_session_cursor(SessionSort::created_last, text));
  for (const char* text : {"1", ".5", "1.", "1.-5", "1.5.5", "1.--"})
    CHECK_FALSE(parse_session_cursor(SessionSort::ended_last, text));
  CHECK_FALSE(parse_session_cursor(SessionSort::user_a_to_z, "1.not base64!"));
}

TEST_CASE("the cursor of a list of deliveries reads back, and skips a bounded number",
          "[store][values]") {
  for (const DeliveryCursor& one :
       {DeliveryCursor{}, DeliveryCursor{3, 2}, DeliveryCursor{1, deliveries_of_message_max}})
    CHECK(parse_delivery_cursor(to_string(one)) == one);
  for (const char* text : {"", "3", "3.", ".2", "-3.2", "3.-2", "3.2.1", "3.2 ", "3.1001",
                           "3.18446744073709551615", "9223372036854775808.0"})
    CHECK_FALSE(parse_delivery_cursor(text));
}
