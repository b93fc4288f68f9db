#include "server/bucket/objects.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/url.hpp"

namespace verbatim::bucket {

namespace {

constexpr int not_found = 404;
constexpr int not_allowed = 405;
constexpr int internal_error = 500;
constexpr int not_implemented = 501;
constexpr std::uint64_t parts_max = 10'000;
/// S3 takes no smaller part, so a smaller object was never sent in parts.
constexpr std::uint64_t part_bytes_min = 5 * 1024 * 1024;
/// Calls that list the versions of one object.
constexpr int version_lists_max = 10;
constexpr const char* digest_header = "x-amz-meta-sha256";
constexpr const char* content_type = "application/octet-stream";

Failure failure_of(const S3Answer& answer, const char* doing) {
  Failure failure;
  failure.stopped = answer.stopped;
  failure.why = std::string(doing) + ": " + reason_of(answer, now().wall);
  failure.pause = asked_pause(answer, now().wall);
  failure.missing = answer.status == not_found && element(answer.body, "Code") != "NoSuchBucket";
  return failure;
}

Failure of_object(const std::string& why) {
  Failure failure;
  failure.why = why;
  failure.of_object = true;
  return failure;
}

Outcome outcome_of(const S3Answer& answer, const char* doing) {
  if (answer.ok()) return std::nullopt;
  return failure_of(answer, doing);
}

Expected expected_of(const FileToPut& file, bool in_parts) {
  return {file.bytes, file.digest.sha256, in_parts ? std::string() : file.digest.md5};
}

}  // namespace

Outcome Objects::look(const Stopped& stopped) {
  const S3Answer listed =
      client_.call({.method = "GET", .query = "max-uploads=1&uploads="}, stopped);
  if (listed.status == not_implemented || listed.status == not_allowed) return std::nullopt;
  return outcome_of(listed, "list of uploads in parts");
}

Outcome Objects::put(const std::string& key, const FileToPut& file, bool again,
                     const Stopped& stopped) {
  if (in_parts(file.bytes)) {
    if (again)
      if (auto failure = abort_parts(key, stopped)) return failure;
    return put_in_parts(key, file, stopped);
  }
  const S3Request request{
      .method = "PUT",
      .key = key,
      .headers = {{digest_header, file.digest.sha256}, {"content-type", content_type}},
      .part = FilePart{&file.file, 0, file.bytes, file.digest.sha256}};
  return outcome_of(client_.call(request, stopped), "upload");
}

Outcome Objects::put_in_parts(const std::string& key, const FileToPut& file,
                              const Stopped& stopped) {
  const S3Answer begun = client_.call(
      {.method = "POST",
       .key = key,
       .query = "uploads=",
       .headers = {{digest_header, file.digest.sha256}, {"content-type", content_type}}},
      stopped);
  if (!begun.ok()) return failure_of(begun, "begin of an upload in parts");
  const std::string upload = element(begun.body, "UploadId");
  if (upload.empty()) return of_object("begin of an upload in parts: the answer has no UploadId");
  auto failure = put_parts(key, file, upload, stopped);
  // An upload that was stopped is aborted by the next try, or by the removal.
  if (failure && !failure->stopped)
    client_.call({.method = "DELETE", .key = key, .query = "uploadId=" + percent_encoded(upload)},
                 stopped);
  return failure;
}

Outcome Objects::put_parts(const std::string& key, const FileToPut& file, const std::string& upload,
                           const Stopped& stopped) {
  const std::uint64_t size = std::max(sizes_.part_bytes, (file.bytes + parts_max - 1) / parts_max);
  const std::string id = "uploadId=" + percent_encoded(upload);
  std::string list = "<CompleteMultipartUpload>";
  std::uint64_t number = 0;
  for (std::uint64_t from = 0; from < file.bytes; from += size) {
    const std::uint64_t bytes = std::min(size, file.bytes - from);
    const auto digest = digest_of(file.file, from, bytes, stopped);
    if (!digest && stopped()) return Failure{.why = "stopped", .stopped = true};
    if (!digest) return of_object("the file has become shorter, or cannot be read");
    const std::string name = std::to_string(++number);
    const S3Answer sent = client_.call({.method = "PUT",
                                        .key = key,
                                        .query = "partNumber=" + name + "&" + id,
                                        .part = FilePart{&file.file, from, bytes, digest->sha256}},
                                       stopped);
    if (!sent.ok()) return failure_of(sent, "upload of a part");
    const std::string tag = sent.field("etag");
    if (tag.empty()) return of_object("upload of a part: the answer has no ETag");
    list += "<Part><PartNumber>" + name + "</PartNumber><ETag>" + xml_text(tag) + "</ETag></Part>";
  }
  list += "</CompleteMultipartUpload>";
  S3Answer completed = client_.call({.method = "POST",
                                     .key = key,
                                     .query = id,
                                     .headers = {{"content-type", "application/xml"}},
                                     .body = list},
                                    stopped);
  // A success can turn out to be a failure while the service joins the parts.
  if (completed.ok() && completed.body.find("<Error>") != std::string::npos)
    completed.status = internal_error;
  return outcome_of(completed, "end of an upload in parts");
}

Outcome Objects::check(const std::string& key, const FileToPut& file, const Stopped& stopped) {
  const S3Answer head = client_.call({.method = "HEAD", .key = key}, stopped);
  if (!head.ok()) return failure_of(head, "check of the object");
  const std::string other = difference(head, expected_of(file, in_parts(file.bytes)));
  if (other.empty()) return std::nullopt;
  return of_object("check of the object: " + other);
}

Outcome Objects::get(const std::string& key, const std::function<bool(std::string_view)>& take,
                     const Stopped& stopped) {
  return outcome_of(client_.call({.method = "GET", .key = key, .take = take}, stopped), "download");
}

Outcome Objects::remove(const std::string& key, std::uint64_t bytes, const Stopped& stopped) {
  // Parts first: otherwise an upload could still be completed.
  if (bytes > part_bytes_min)
    if (auto failure = abort_parts(key, stopped)) return failure;
  const S3Answer removed = client_.call({.method = "DELETE", .key = key}, stopped);
  if (!removed.ok()) {
    auto failure = failure_of(removed, "removal");
    if (!failure.missing) return failure;
  }
  const std::string version = removed.field("x-amz-version-id");
  const bool versioned =
      removed.field("x-amz-delete-marker") == "true" || (!version.empty() && version != "null");
  return versioned ? remove_versions(key, stopped) : std::nullopt;
}

Outcome Objects::abort_parts(const std::string& key, const Stopped& stopped) {
  const S3Answer listed = client_.call(
      {.method = "GET", .query = "prefix=" + percent_encoded(key) + "&uploads="}, stopped);
  if (listed.status == not_implemented || listed.status == not_allowed) return std::nullopt;
  if (!listed.ok()) return failure_of(listed, "list of uploads in parts");
  for (const std::string& upload : elements(listed.body, "UploadId")) {
    const S3Answer aborted = client_.call(
        {.method = "DELETE", .key = key, .query = "uploadId=" + percent_encoded(upload)}, stopped);
    if (!aborted.ok() && aborted.status != not_found)
      return failure_of(aborted, "removal of parts");
  }
  return std::nullopt;
}

/// The bucket keeps old versions: without this the audio would stay there.
Outcome Objects::remove_versions(const std::string& key, const Stopped& stopped) {
  for (int round = 0; round < version_lists_max; ++round) {
    const S3Answer listed = client_.call(
        {.method = "GET", .query = "prefix=" + percent_encoded(key) + "&versions="}, stopped);
    if (!listed.ok()) return failure_of(listed, "list of the object's versions");
    const auto versions = elements(listed.body, "VersionId");
    if (versions.empty()) return std::nullopt;
    for (const std::string& version : versions) {
      const S3Answer removed = client_.call(
          {.method = "DELETE", .key = key, .query = "versionId=" + percent_encoded(version)},
          stopped);
      if (!removed.ok() && removed.status != not_found)
        return failure_of(removed, "removal of a version");
    }
  }
  return of_object("removal of versions: the bucket still lists some");
}

std::unique_ptr<Objects> objects_of(const config::Bucket& settings) {
  if (settings.bucket.empty()) return nullptr;
  S3Options options{settings.endpoint,   settings.bucket,        settings.region,
                    settings.path_style, settings.access_key,    settings.secret_key,
                    settings.ca_file,    settings.allow_private, settings.timeout};
  return std::make_unique<Objects>(std::move(options),
                                   Objects::Sizes{settings.single_bytes_max, settings.part_bytes});
}

}  // namespace verbatim::bucket
