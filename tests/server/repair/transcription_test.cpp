// The form that engines get, and what their answers mean. The answers are those of real servers.
#include "server/repair/transcription.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace verbatim;
using namespace verbatim::repair;
using namespace std::chrono_literals;

namespace {

constexpr TimeMs answered_at = 1'445'412'480'000;

Transcription answer_with(int status, std::string body, std::string retry_after = "") {
  webhooks::CallAnswer made;
  made.status = status;
  made.body = std::move(body);
  made.retry_after = std::move(retry_after);
  return read_answer(made, answered_at);
}
Outcome outcome(int status, std::string body = "{}") {
  return answer_with(status, std::move(body)).outcome;
}

}  // namespace

TEST_CASE("the address of an engine is a base, with or without its version and path",
          "[P15][repair]") {
  const std::string whole = "http://127.0.0.1:8000/v1/audio/transcriptions";
  for (const char* const url :
       {"http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1",
        "http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1/audio/transcriptions"})
    CHECK(transcriptions_url(url) == whole);
  CHECK(transcriptions_url("https://api.groq.com/openai") ==
        "https://api.groq.com/openai/v1/audio/transcriptions");
  CHECK(transcriptions_url("https://x.test/v1?api-version=2") ==
        "https://x.test/v1/audio/transcriptions?api-version=2");
}

TEST_CASE("the form has the fields that every engine takes, the file last", "[P15][repair]") {
  const repair::Form form = make_form("RIFF", "whisper-1", "de", "B");
  CHECK(form.content_type == "multipart/form-data; boundary=B");
  CHECK(form.body ==
        "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nde\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\njson\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"utterance.wav\"\r\n"
        "Content-Type: audio/wav\r\n\r\nRIFF\r\n--B--\r\n");
  CHECK(make_form("RIFF", "m", "", "B").body.find("language") == std::string::npos);
}

TEST_CASE("a transcription is taken without the blanks around it", "[P15][repair]") {
  CHECK(answer_with(200, R"({"text":" Hello there.\n"})").text == "Hello there.");
  CHECK(
      answer_with(200, R"({"type":"transcript.text.done","text":"Ja","usage":{"total_tokens":3}})")
          .text == "Ja");
  CHECK(answer_with(200, "\n{\"text\":\"Gr\\u00fc\\u00dfe [sic]\"}\n").text ==
        "Gr\xC3\xBC\xC3\x9F"
        "e [sic]");
  CHECK(outcome(201, R"({"text":"x"})") == Outcome::repaired);
}

TEST_CASE("an answer without words is a failure", "[P15][repair]") {
  for (const char* const body :
       {R"({"text":""})", R"({"text":" \n "})", R"({"text":" [BLANK_AUDIO]"})",
        R"({"text":"(silence) [Music]"})", R"({"text":"*coughs*"})"})
    CHECK(outcome(200, body) == Outcome::empty);
  CHECK(outcome(200, R"({"text":"*"})") == Outcome::repaired);
}

TEST_CASE("a success without a transcription is a failure", "[P15][repair]") {
  for (const char* const body :
       {"", "null", "Hello", "\"Hello\"", "{\"text\":\"cut o", R"({"text":null})",
        R"({"text":["Hello"]})", R"({"error":{"message":"no model"}})", R"({"Text":"Hello"})",
        "<html><body>Welcome</body></html>", R"({"text":"Hello"}{"text":"again"})",
        "data: {\"text\":\"Hello\"}\n\n"})
    CHECK(outcome(200, body) == Outcome::unreadable);
  CHECK(outcome(204, "") == Outcome::unreadable);
  CHECK_FALSE(answer_with(200, "{").is_engines_fault);
}

TEST_CASE("a refusal says its status and code, never the engine's words", "[P10][P15][repair]") {
  const auto wrong_key = answer_with(
      401, R"({"error":{"message":"Incorrect API key: sk-1","code":"invalid_api_key"}})");
  CHECK(wrong_key.outcome == Outcome::refused);
  CHECK(wrong_key.why == "HTTP 401, invalid_api_key");
  CHECK(wrong_key.is_engines_fault);
  // LocalAI's code is a number, FastAPI's error is `detail`, a proxy's is HTML.
  CHECK(answer_with(413, R"({"error":{"code":413,"message":"Request Entity Too Large","type":""}})")
            .why == "HTTP 413");
  CHECK(answer_with(422, R"({"detail":[{"msg":"field required"}]})").why == "HTTP 422");
  CHECK(answer_with(413, "<html><center><h1>413</h1></center></html>").why == "HTTP 413");
  CHECK(answer_with(400, R"({"error":{"type":"invalid_request_error","code":"he said hello"}})")
            .why == "HTTP 400, invalid_request_error");
}

TEST_CASE("an answer that every utterance would get is the engine's fault", "[P15][repair]") {
  for (const int status : {301, 302, 307, 401, 402, 403, 404, 405, 429, 503})
    CHECK(answer_with(status, "").is_engines_fault);
  for (const int status : {400, 408, 413, 415, 422, 500, 502, 504})
    CHECK_FALSE(answer_with(status, "").is_engines_fault);
  CHECK(outcome(307) == Outcome::refused);
  CHECK(outcome(500) == Outcome::failed);
  CHECK(outcome(429) == Outcome::failed);
  webhooks::CallAnswer none;
  none.error = "Connection refused";
  const auto no_answer = read_answer(none, answered_at);
  CHECK(no_answer.outcome == Outcome::failed);
  CHECK(no_answer.is_engines_fault);
  CHECK(no_answer.why == "Connection refused");
}

TEST_CASE("an engine's Retry-After is read", "[P15][repair]") {
  CHECK(answer_with(429, "", "7").retry_after == 7s);
  CHECK_FALSE(answer_with(429, "").retry_after);
}
