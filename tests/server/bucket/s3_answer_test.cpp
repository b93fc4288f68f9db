// Addresses of an S3-compatible service, and what its answers mean.
#include "server/bucket/s3_answer.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "base/base64.hpp"
#include "base/crypto.hpp"

using namespace verbatim;
using namespace verbatim::bucket;
using Catch::Contains;

namespace {

S3Answer answer_of(int status, const std::string& code, const std::string& more = "") {
  S3Answer answer;
  answer.status = status;
  answer.body = "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code>" + more + "</Error>";
  return answer;
}

S3Answer head_of(const std::string& content) {
  S3Answer head;
  head.status = 200;
  head.headers = {{"content-length", std::to_string(content.size())},
                  {"x-amz-meta-sha256", to_hex(sha256(content))},
                  {"etag", "\"0123456789abcdef0123456789abcdef\""}};
  return head;
}

Expected expected_of(const std::string& content) {
  return {content.size(), to_hex(sha256(content)), "0123456789abcdef0123456789abcdef"};
}

}  // namespace

TEST_CASE("an object's address has its bucket in the path or in the host", "[P10][bucket]") {
  CHECK(object_url("", "calls", "eu-west-1", true, "a/b") ==
        "https://s3.eu-west-1.amazonaws.com/calls/a/b");
  CHECK(object_url("https://s3.example.org:9000", "calls", "r", false, "a/b") ==
        "https://calls.s3.example.org:9000/a/b");
  CHECK(object_url("http://10.0.0.1", "calls", "r", true, "") == "http://10.0.0.1/calls/");
}

TEST_CASE("a key is escaped as signatures demand it", "[P10][bucket]") {
  CHECK(escaped_key("recordings/s:1/%../a b+c~é") == "recordings/s%3A1/%25../a%20b%2Bc~%C3%A9");
}

TEST_CASE("a refusal is explained, and never with the service's own words", "[P10][bucket]") {
  const auto reason = [](const S3Answer& answer) { return reason_of(answer, 0); };
  CHECK_THAT(reason(answer_of(403, "SignatureDoesNotMatch")), Contains("s3_secret_key is wrong"));
  CHECK_THAT(reason(answer_of(301, "PermanentRedirect", "<Region>eu-x-1</Region>")),
             Contains("the bucket is in the region eu-x-1"));
  CHECK_THAT(reason(answer_of(403, "AccessDenied")), Contains("lacks a right"));
  const std::string odd = reason(answer_of(400, "<b>secret words\n</b>", "<Message>hm</Message>"));
  CHECK(odd == "the service answers 400 bsecretwordsb");
  S3Answer broken;
  broken.error = "Connection refused";
  CHECK(reason(broken) == "Connection refused");
}

TEST_CASE("an object differs by its size, its metadata, its checksum or its tag", "[P10][bucket]") {
  const std::string content = "speech";
  const Expected expected = expected_of(content);
  S3Answer head = head_of(content);
  CHECK(difference(head, expected).empty());

  head.headers["content-length"] = "5";
  CHECK_THAT(difference(head, expected), Contains("the object has 5 bytes, and the file 6"));
  head = head_of(content);
  head.headers["x-amz-meta-sha256"] = to_hex(sha256("other"));
  CHECK_THAT(difference(head, expected), Contains("another file"));
  head = head_of(content);
  head.headers["x-amz-checksum-sha256"] = base64(sha256(content));
  CHECK(difference(head, expected).empty());
  head.headers["x-amz-checksum-sha256"] = base64(sha256("other"));
  CHECK_THAT(difference(head, expected), Contains("SHA-256"));
  head = head_of(content);
  head.headers["etag"] = "\"ffffffffffffffffffffffffffffffff\"";
  CHECK_THAT(difference(head, expected), Contains("ETag"));
}

TEST_CASE("a tag that is not an MD5 of the file says nothing", "[P10][bucket]") {
  const std::string content = "speech";
  S3Answer head = head_of(content);
  head.headers["etag"] =
      "\"00000000000000000000000000000000-3\"";  // of parts; MinIO: of any object
  CHECK(difference(head, expected_of(content)).empty());
  head.headers["etag"] = "\"ffffffffffffffffffffffffffffffff\"";
  head.headers["x-amz-server-side-encryption"] = "aws:kms";
  CHECK(difference(head, expected_of(content)).empty());
  head = head_of(content);
  head.headers["etag"] = "\"ffffffffffffffffffffffffffffffff\"";
  Expected in_parts = expected_of(content);
  in_parts.md5.clear();  // Riak gives the id of the upload
  head.headers["x-amz-checksum-sha256"] = base64(sha256("digests of parts")) + "-3";
  CHECK(difference(head, in_parts).empty());
}

TEST_CASE("elements of an answer are read, with their escapes", "[P10][bucket]") {
  CHECK(elements("<a><Id>x&amp;y</Id><Id>&quot;z&quot;</Id><Id>cut", "Id") ==
        std::vector<std::string>{"x&y", "\"z\""});
  CHECK(element("<a/>", "Id").empty());
  CHECK(xml_text("\"a&<b>\"") == "\"a&amp;&lt;b&gt;\"");
}
