// Recordings are played byte for byte, in the order of the file.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "session/protocol/recording.hpp"
#include "tests/simulator/client.hpp"

namespace verbatim::simulator::test {

namespace {

using protocol::Direction;

Options playing(double pace = 0) { return {.recordings_dir = VERBATIM_RECORDINGS, .pace = pace}; }

protocol::Recording read(const std::string& name) {
  std::ifstream file(std::string(VERBATIM_RECORDINGS) + "/" + name + ".jsonl", std::ios::binary);
  return protocol::read_recording(
      std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
}

/// A folder for the files that a test makes.
struct Folder {
  Folder() : path(std::filesystem::temp_directory_path() / "verbatim-simulator-recordings") {
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
  }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("every recording is played byte for byte behind its client's events", "[P9][simulator]") {
  std::size_t played = 0;
  for (const auto& entry : std::filesystem::directory_iterator(VERBATIM_RECORDINGS)) {
    if (entry.path().extension() != ".jsonl") continue;
    const std::string name = entry.path().stem().string();
    INFO(name);
    const auto recording = read(name);
    REQUIRE(recording.errors.empty());
    Client client(name, playing());
    std::vector<std::string> wanted;
    for (const auto& event : recording.events) {
      if (event.direction == Direction::to_client) {
        wanted.push_back(event.event);
        client.wait(0);
        REQUIRE(client.frames.size() >= wanted.size());
      } else {
        // Nothing that stands behind this line in the file has come before it.
        if (event.event.find("input_audio_buffer.append") == std::string::npos) {
          CHECK(client.frames.size() == wanted.size());
        }
        client.send_raw(event.event);
      }
    }
    client.wait(0);
    CHECK(client.frames == wanted);
    CHECK(client.endings.empty());
    CHECK_FALSE(client.next_due());
    ++played;
  }
  CHECK(played >= 43);
}

TEST_CASE("a recording waits for its client, not for a relay's own events", "[P9][simulator]") {
  Client client("ga-openai-text-in-audio-out", playing());
  CHECK(client.frames.size() == 1);
  client.send({{"type", "session.update"}, {"event_id", "verbatim_configure"}, {"session", {}}});
  client.send({{"type", "input_audio_buffer.append"}, {"audio", ""}});
  client.send_raw("no json");
  CHECK(client.frames.size() == 1);
  client.send({{"type", "session.update"}, {"session", Json::object()}});
  CHECK(client.frames.size() == 2);
  client.send({{"type", "response.create"}});  // early: it is kept for later
  CHECK(client.frames.size() == 2);
  client.type("Anything.");
  CHECK(client.events.back()["type"] == "response.done");
}

TEST_CASE("a recording keeps its spacing, scaled by the pace", "[simulator]") {
  const Folder folder;
  folder.write("timed.jsonl", R"({"t_ms":100,"dir":"s2c","event":{"type":"session.created"}})"
                              "\n"
                              R"({"t_ms":null,"dir":"c2s","event":{"type":"response.create"}})"
                              "\n"
                              R"({"t_ms":1100,"dir":"s2c","event":{"type":"response.created"}})"
                              "\n"
                              R"({"t_ms":1400,"dir":"s2c","event":{"type":"response.done"}})"
                              "\n");
  for (const double pace : {1.0, 0.5, 2.0}) {
    Client client("timed", {.recordings_dir = folder.path, .pace = pace});
    CHECK(client.frames.size() == 1);
    client.wait(10'000);
    CHECK(client.frames.size() == 1);
    client.respond();
    client.wait(static_cast<std::int64_t>(1'000 * pace) - 1);
    CHECK(client.frames.size() == 1);
    client.wait(1);
    CHECK(client.frames.size() == 2);
    client.wait(static_cast<std::int64_t>(300 * pace) - 1);
    CHECK(client.frames.size() == 2);
    client.wait(1);
    CHECK(client.frames.size() == 3);
  }
}

TEST_CASE("faults reach recordings too", "[simulator]") {
  const Client client("ga-openai-text-in-audio-out+drop_after=1", playing());
  CHECK(client.frames.size() == 1);
  REQUIRE(client.endings.size() == 1);
  CHECK(client.endings[0].kind == Action::Kind::drop);
}

TEST_CASE("a name that leads out of the folder is refused", "[simulator]") {
  const Folder folder;
  folder.write("secret.jsonl", R"({"dir":"s2c","event":{"type":"session.secret"}})");
  std::filesystem::create_directories(folder.path / "inner");
  const Options options = {.recordings_dir = folder.path / "inner"};
  for (const char* name : {"../secret", "..", ".", "/etc/passwd", ""}) {
    const Client client(name, options);
    CHECK(client.types() == std::vector<std::string>{"session.created"});
  }
}

TEST_CASE("a broken recording is refused with its line", "[simulator]") {
  const Folder folder;
  folder.write("broken.jsonl", "{\"dir\":\"s2c\",\"event\":{\"type\":\"x\"}}\n{\"dir\":\"up\"}\n");
  try {
    Client client("broken", {.recordings_dir = folder.path});
    FAIL("accepted");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()).find("line 2") != std::string::npos);
  }
}

}  // namespace verbatim::simulator::test
