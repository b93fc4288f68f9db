// Declares the settings of the bucket that keeps recordings.
#include <string>
#include <string_view>

#include "config/declare.hpp"
#include "config/values.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

namespace {

/// An S3-compatible service: without a path.
Format<std::string> bucket_url() {
  Format<std::string> format = engine_url();
  format.accepts = "https://host[:port] or http://host[:port], or nothing";
  format.read = [read = std::move(format.read)](const Value& value, Source source) {
    std::string text = read(value, source);
    if (text.ends_with('/')) text.pop_back();
    if (text.empty()) return text;
    const Url url = required_url(text);
    if (!(url.path + url.query).empty())
      throw BadValue("has a path: the bucket has a key of its own, recording.s3_bucket");
    return text;
  };
  return format;
}

Format<std::string> bucket_name() {
  return {Shape::text, "a name of up to 63 letters, digits, '.', '-' and '_', or nothing",
          [](const Value& value, Source) {
            const std::string& text = string_of(value);
            constexpr std::string_view allowed =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
            if (text.size() > 63 || text.find_first_not_of(allowed) != text.npos ||
                text.starts_with('.'))
              throw BadValue("is not the name of a bucket");
            return text;
          },
          [](const std::string& text) { return Value(text); }};
}

Format<std::string> key_prefix() {
  return {Shape::text, "up to 200 characters, without a slash at the beginning, or nothing",
          [](const Value& value, Source) {
            const std::string& text = string_of(value);
            if (text.size() > 200) throw BadValue("is too long");
            if (text.starts_with('/') || text.find("//") != text.npos)
              throw BadValue("has an empty part");
            if (("/" + text + "/").find("/./") != text.npos ||
                ("/" + text + "/").find("/../") != text.npos)
              throw BadValue("has a part of dots");
            return text;
          },
          [](const std::string& text) { return Value(text); }};
}

}  // namespace

std::vector<Key> make_bucket_keys() {
  std::vector<Key> table{
      key("recording.s3_bucket", &S::bucket, &Bucket::bucket, {}, bucket_name(),
          "A bucket of S3 or of a service that copies it (MinIO, R2, Garage, Ceph). Each finished "
          "recording is uploaded there and checked (docs/recording.md). Empty: nothing is "
          "uploaded."),
      key("recording.s3_endpoint", &S::bucket, &Bucket::endpoint, {}, bucket_url(),
          "The service's URL without the bucket. Empty: https://s3.REGION.amazonaws.com."),
      key("recording.s3_region", &S::bucket, &Bucket::region, "us-east-1", parameter(),
          "The bucket's region, which is a part of each signature. R2 has `auto`, Garage `garage`, "
          "MinIO takes us-east-1."),
      key("recording.s3_prefix", &S::bucket, &Bucket::prefix, "recordings/", key_prefix(),
          "The beginning of every object's key. Its rights can be limited to that. Two relays may "
          "share it: every key has a random part."),
      key("recording.s3_path_style", &S::bucket, &Bucket::path_style, true, boolean(),
          "true: the bucket is in the path (https://host/bucket/key), which every service takes. "
          "false: it is in the name of the host (https://bucket.host/key)."),
  };
  add_secret(table, "recording.s3_access_key", &S::bucket, &Bucket::access_key,
             "/run/secrets/s3-access-key",
             "The id of the access key. Without this and the next one, AWS_ACCESS_KEY_ID and "
             "AWS_SECRET_ACCESS_KEY are read.");
  add_secret(table, "recording.s3_secret_key", &S::bucket, &Bucket::secret_key,
             "/run/secrets/s3-secret-key", "The secret of the access key.");
  for (Key& one : std::vector<Key>{
           key("recording.s3_ca_file", &S::bucket, &Bucket::ca_file, {}, path("a file, or nothing"),
               "Authorities in PEM form that the service's certificate is checked with. Empty: "
               "those of the system."),
           key("recording.s3_allow_private", &S::bucket, &Bucket::allow_private, false, boolean(),
               "Whether the service may have an address of this machine or of a private network, "
               "and http. Speech is sent to it, so a name that resolves to an internal service "
               "must not get it by mistake."),
           key("recording.s3_single_bytes_max", &S::bucket, &Bucket::single_bytes_max, 64 * MiB,
               bytes(5 * MiB, 5 * GiB),
               "A larger file is uploaded in parts. 5 GiB is the limit of S3 for one call."),
           key("recording.s3_part_bytes", &S::bucket, &Bucket::part_bytes, 16 * MiB,
               bytes(5 * MiB, 5 * GiB),
               "The size of a part, at least 5 MiB as S3 demands. Parts grow if a file would have "
               "more than 10,000 of them."),
           key("recording.s3_timeout", &S::bucket, &Bucket::timeout, 30s, duration(1s, 10min),
               "A call that moves no byte for this long has failed. There is no limit for a whole "
               "upload, which depends on the size."),
           key("recording.s3_retry_min", &S::bucket, &Bucket::retry_min, 5s, duration(10ms, 1h),
               "The pause after a failed call. It doubles with each further one, with random "
               "spread. The bucket gets no upload and no deletion meanwhile."),
           key("recording.s3_retry_max", &S::bucket, &Bucket::retry_max, 10min, duration(10ms, 24h),
               "The longest pause. An answer's Retry-After can lengthen a pause to this at most."),
           key("recording.s3_delete_local", &S::bucket, &Bucket::delete_local, false, boolean(),
               "Whether a file is removed here once its object is checked. An export then fetches "
               "it back first. false: there are two copies, and the bucket is a backup."),
           key("recording.s3_local_idle", &S::bucket, &Bucket::local_idle, 1h,
               duration(0s, 365 * day),
               "With s3_delete_local: a file stays here for this long after it was uploaded or "
               "last read. Most people listen soon after a conversation."),
       })
    table.push_back(std::move(one));
  return table;
}

}  // namespace verbatim::config
