#include "server/bucket/s3_answer.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "base/url.hpp"
#include "server/webhooks/verdict.hpp"

namespace verbatim::bucket {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::size_t md5_digits = 32;
constexpr std::size_t code_max = 64;

/// A word of an answer that a log may have.
std::string word(std::string_view text) {
  std::string out;
  for (const char one : text.substr(0, code_max)) {
    const bool plain = (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') ||
                       (one >= '0' && one <= '9') || one == '-';
    if (plain) out += one;
  }
  return out;
}

bool is_md5(std::string_view tag) {
  return tag.size() == md5_digits && tag.find_first_not_of(hex_digits) == tag.npos;
}

std::string region_of(const S3Answer& answer) {
  const std::string named = word(answer.field("x-amz-bucket-region"));
  return named.empty() ? word(element(answer.body, "Region")) : named;
}

std::string advice(const S3Answer& answer, const std::string& code, TimeMs now) {
  constexpr int forbidden = 403;
  constexpr int missing = 404;
  const std::string region = region_of(answer);
  const bool moved = answer.status >= 300 && answer.status < 400;
  if (moved || code == "AuthorizationHeaderMalformed" || code == "PermanentRedirect" ||
      code == "IllegalLocationConstraintException")
    return region.empty() ? "the bucket is at another address or in another region: see "
                            "recording.s3_endpoint and recording.s3_region"
                          : "the bucket is in the region " + region +
                                ": set recording.s3_region, and recording.s3_endpoint if it is set";
  if (code == "RequestTimeTooSkewed")
    return "the clocks differ too much: here it is " + iso_time(now) + ", there " +
           (answer.field("date").empty() ? "another time" : answer.field("date")) +
           "; set the clock of this machine";
  if (code == "SignatureDoesNotMatch")
    return "recording.s3_secret_key is wrong, or a proxy changes the request";
  if (code == "InvalidAccessKeyId") return "recording.s3_access_key is not known there";
  if (code == "NoSuchBucket") return "there is no such bucket: see recording.s3_bucket";
  if (code == "NotImplemented") return "the service lacks this call";
  if (answer.status == forbidden)
    return "the key lacks a right, or it is wrong, or the clocks differ (docs/recording.md)";
  if (answer.status == missing && code != "NoSuchKey" && code != "NoSuchUpload")
    return "there is no such bucket or object: see recording.s3_bucket";
  return {};
}

}  // namespace

std::string escaped_key(std::string_view key) {
  std::string out;
  while (!key.empty()) {
    const std::string_view part = key.substr(0, key.find('/'));
    out += percent_encoded(part);
    key.remove_prefix(part.size());
    if (key.empty()) break;
    out += '/';
    key.remove_prefix(1);
  }
  return out;
}

std::string object_url(const std::string& endpoint, const std::string& bucket,
                       const std::string& region, bool path_style, const std::string& key) {
  const std::string base = endpoint.empty() ? "https://s3." + region + ".amazonaws.com" : endpoint;
  if (path_style) return base + "/" + bucket + "/" + escaped_key(key);
  const std::size_t host = base.find("://") + 3;
  return base.substr(0, host) + bucket + "." + base.substr(host) + "/" + escaped_key(key);
}

std::string S3Answer::field(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::vector<std::string> elements(std::string_view xml, std::string_view name) {
  const std::string begin = "<" + std::string(name) + ">";
  const std::string end = "</" + std::string(name) + ">";
  std::vector<std::string> found;
  for (std::size_t at = xml.find(begin); at != xml.npos; at = xml.find(begin, at)) {
    at += begin.size();
    const std::size_t to = xml.find(end, at);
    if (to == xml.npos) break;
    std::string text(xml.substr(at, to - at));
    // Nothing else is escaped in the ids and names that are read.
    for (const auto& [escape, plain] :
         {std::pair("&quot;", "\""), std::pair("&#34;", "\""), std::pair("&lt;", "<"),
          std::pair("&gt;", ">"), std::pair("&amp;", "&")})
      for (std::size_t one = text.find(escape); one != text.npos; one = text.find(escape, one + 1))
        text.replace(one, std::string_view(escape).size(), plain);
    found.push_back(std::move(text));
    at = to;
  }
  return found;
}

std::string element(std::string_view xml, std::string_view name) {
  auto all = elements(xml, name);
  return all.empty() ? std::string() : std::move(all.front());
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char one : text) {
    if (one == '&') {
      out += "&amp;";
    } else if (one == '<') {
      out += "&lt;";
    } else if (one == '>') {
      out += "&gt;";
    } else {
      out += one;
    }
  }
  return out;
}

std::string reason_of(const S3Answer& answer, TimeMs now) {
  if (answer.status == 0 || (!answer.error.empty() && answer.status < 300)) return answer.error;
  const std::string code = word(element(answer.body, "Code"));
  std::string text = "the service answers " + std::to_string(answer.status);
  if (!code.empty()) text += " " + code;
  const std::string what = advice(answer, code, now);
  return what.empty() ? text : text + ": " + what;
}

std::optional<std::chrono::milliseconds> asked_pause(const S3Answer& answer, TimeMs now) {
  return webhooks::read_retry_after(answer.field("retry-after"), answer.field("date"), now);
}

std::string difference(const S3Answer& head, const Expected& expected) {
  const std::string size = head.field("content-length");
  if (size != std::to_string(expected.bytes))
    return "the object has " + (word(size).empty() ? "no known number of" : word(size)) +
           " bytes, and the file " + std::to_string(expected.bytes);
  const std::string noted = head.field("x-amz-meta-sha256");
  if (noted.empty()) return "the service has not kept the object's metadata (x-amz-meta-sha256)";
  if (lower_case(noted) != expected.sha256) return "the object is of another file";
  const std::string sum = head.field("x-amz-checksum-sha256");
  std::string bytes;
  // With a dash it is the digest of digests of parts.
  if (!sum.empty() && sum.find('-') == sum.npos && !expected.md5.empty() &&
      decode_base64(sum, bytes) && to_hex(bytes) != expected.sha256)
    return "the object's SHA-256 differs from the file's";
  std::string tag = head.field("etag");
  std::erase(tag, '"');
  tag = lower_case(tag);
  // A service that encrypts the object with a key of its own gives another tag.
  const std::string sealed = head.field("x-amz-server-side-encryption");
  const bool plain = (sealed.empty() || sealed == "AES256") &&
                     head.field("x-amz-server-side-encryption-customer-algorithm").empty();
  if (plain && !expected.md5.empty() && is_md5(tag) && tag != expected.md5)
    return "the object's ETag differs from the file's MD5";
  return {};
}

}  // namespace verbatim::bucket
