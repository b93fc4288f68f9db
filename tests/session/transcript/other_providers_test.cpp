// Providers with their own variants of the protocol: each word is kept once.
#include <catch2/catch.hpp>

#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

EventBody hears_at(std::string id, std::string words, int index) {
  return TextDelta{std::move(id), {}, index, true, text(std::move(words))};
}

}  // namespace

TEST_CASE("an answer that comes in finished sentences has all of them", "[P4][rule2]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Honey keeps."), said("a1", "It has little water."), said("a1", "So?")});
  CHECK(stream.turn("a1").text == text("Honey keeps. It has little water. So?"));
}

TEST_CASE("a repeated event does not repeat its sentence", "[P4][rule2]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Yes."), said("a1", "Yes.")});
  CHECK(stream.turn("a1").text == text("Yes."));
  stream.then({said("a1", "Yes. Gladly."), said("a1", "Now?"), said("a1", "")});
  CHECK(stream.turn("a1").text == text("Yes. Gladly. Now?"));
}

TEST_CASE("after deltas the last of several final texts is the text", "[rule2]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "Good "), said("a1", "Good day."), said("a1", "Good day!")});
  CHECK(stream.turn("a1").text == text("Good day!"));
}

TEST_CASE("a transcription that is completed again and again as it grows is its last text",
          "[P4][rule2]") {
  Stream stream({SpeechStarted{"u1", 0}, heard("u1", "Hello?"), committed("u1"),
                 heard("u1", "Hello, my name is"), heard("u1", "Hello, my name is Ann.")});
  CHECK(stream.glance() == "user Hello, my name is Ann.");
  stream.then({heard("u1", "Hello, I am Ann.")});
  CHECK(stream.glance() == "user Hello, I am Ann.");
}

TEST_CASE("deltas of speech that count themselves are one text", "[P4][rule1]") {
  Stream stream({SpeechStarted{"u1", 0}, hears_at("u1", "You ", 0), hears_at("u1", "are ", 1),
                 hears_at("u1", "now ", 2)});
  CHECK(stream.glance() == "user You are now ");
  stream.then({heard("u1", "You are now hearing this.")});
  CHECK(stream.glance() == "user You are now hearing this.");
}

TEST_CASE("speech in several parts of one item keeps its parts", "[P4][rule1]") {
  const Item two = message("u1", Role::user, {Part{0, {}, true}, Part{2, {}, true}});
  Stream stream(
      {added(two), hears_at("u1", "One", 0), hears_at("u1", "Two", 2), hears_at("u1", "!", 2)});
  CHECK(stream.glance() == "user One\nTwo!");
}
