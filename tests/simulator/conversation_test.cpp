// A whole conversation as a client sees it.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "tests/simulator/client.hpp"

namespace verbatim::simulator::test {

using Shape = std::vector<std::string>;

TEST_CASE("a typed question is echoed aloud in the provider's order of events", "[P4][simulator]") {
  Client client;
  REQUIRE(client.types() == Shape{"session.created"});
  client.type("First?");
  client.respond();
  client.wait(60'000);
  CHECK(client.types(1)[0] == "conversation.item.added");
  const Shape shape = client.shape(1);
  const Shape head = {"conversation.item.added",
                      "conversation.item.done",
                      "response.created",
                      "response.output_item.added",
                      "conversation.item.added",
                      "response.content_part.added",
                      "response.output_audio_transcript.delta"};
  REQUIRE(shape.size() > head.size());
  CHECK(Shape(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(head.size())) == head);
  CHECK(client.last("response.output_audio_transcript.done")["transcript"] == "You said: First?");
  CHECK(client.joined("response.output_audio_transcript.delta") == "You said: First?");
  CHECK(client.last("response.done")["response"]["status"] == "completed");
}

}  // namespace verbatim::simulator::test
