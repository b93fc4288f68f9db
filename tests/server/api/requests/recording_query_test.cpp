// Which part of a recording a request asks for.
#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "server/api/requests/queries.hpp"

using namespace verbatim;
using namespace verbatim::requests;

namespace {

net::HttpRequest asks(std::vector<std::pair<std::string, std::string>> query) {
  net::HttpRequest request;
  request.query = std::move(query);
  return request;
}

int query_status(std::vector<std::pair<std::string, std::string>> query) {
  const auto read = read_recording_query(asks(std::move(query)));
  return read ? 200 : read.error().status;
}

/// "first+count", "whole", or "none" if the file has no such bytes.
std::string range(std::string_view header, std::uint64_t size = 1000) {
  const auto read = read_range(header, size);
  if (!read) return "none";
  if (!read->partial) {
    CHECK(read->first == 0);
    CHECK(read->count == size);
    return "whole";
  }
  return std::to_string(read->first) + "+" + std::to_string(read->count);
}

}  // namespace

TEST_CASE("a request for a recording is read, or refused with its reason", "[http][recording]") {
  const auto usual = read_recording_query(asks({})).value();
  CHECK_FALSE(usual.attempt);
  CHECK_FALSE(usual.turn);
  CHECK_FALSE(usual.track);
  CHECK_FALSE(usual.unheard);
  const auto all = read_recording_query(asks({{"attempt", "2"},
                                              {"turn", "3"},
                                              {"track", "assistant"},
                                              {"unheard", "include"},
                                              {"format", "wav"}}))
                       .value();
  CHECK(all.attempt == 2);
  CHECK(all.turn == 3);
  CHECK(all.track == transcript::AudioTrack::assistant);
  CHECK(all.unheard);
  CHECK(read_recording_query(asks({{"track", "user"}})).value().track ==
        transcript::AudioTrack::user);
  CHECK(query_status({{"track", "both"}}) == 200);
  const auto format_of = [](const char* format) {
    return read_recording_query(asks({{"format", format}})).value().format;
  };
  CHECK(usual.format == RecordingFormat::wav);
  CHECK(format_of("wav") == RecordingFormat::wav);
  CHECK(format_of("flac") == RecordingFormat::flac);
  CHECK(format_of("opus") == RecordingFormat::opus);
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, const char*>>{{"attempt", "0"},
                                                                  {"attempt", "all"},
                                                                  {"turn", "0"},
                                                                  {"turn", "x"},
                                                                  {"turn", "1.5"},
                                                                  {"track", "left"},
                                                                  {"track", ""},
                                                                  {"unheard", "yes"},
                                                                  {"format", "mp3"}})
    CHECK(query_status({{name, value}}) == 400);
}

TEST_CASE("a range of bytes is read at every boundary", "[http][recording]") {
  CHECK(range("") == "whole");
  CHECK(range("bytes=0-0") == "0+1");
  CHECK(range("bytes=0-") == "0+1000");
  CHECK(range("bytes=0-999") == "0+1000");
  CHECK(range("bytes=0-1000") == "0+1000");
  CHECK(range("bytes=43-44") == "43+2");
  CHECK(range("bytes=999-999") == "999+1");
  CHECK(range("bytes=999-") == "999+1");
  CHECK(range("bytes=1000-") == "none");
  CHECK(range("bytes=1000-2000") == "none");
  CHECK(range("bytes=-1") == "999+1");
  CHECK(range("bytes=-1000") == "0+1000");
  CHECK(range("bytes=-5000") == "0+1000");
  CHECK(range("bytes=-0") == "none");
  CHECK(range("bytes=0-9223372036854775807") == "0+1000");
}

TEST_CASE("a range that is not understood gives the whole", "[http][recording]") {
  for (const char* const header :
       {"bytes=", "bytes=-", "bytes=5", "bytes=5-4", "bytes=0-1,5-6", "bytes=a-b", "bytes=1-b",
        "bytes=--1", "bytes= 1-2", "samples=0-1", "bytes", "bytes=99999999999999999999-"})
    CHECK(range(header) == "whole");
}
