#include "server/bucket/s3_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cstdio>

#include "base/ascii.hpp"
#include "base/crypto.hpp"
#include "server/webhooks/curl_handle.hpp"

namespace verbatim::bucket {

namespace {

constexpr std::size_t answer_bytes_max = 1024 * 1024;
constexpr std::size_t headers_max = 200;

}  // namespace

struct S3Client::Handle {
  CURL* curl = webhooks::new_curl_handle();
  ~Handle() { curl_easy_cleanup(curl); }
};

struct S3Client::Call {
  const S3Request& request;
  const std::function<bool()>& stopped;
  CURL* curl;
  S3Answer answer = {};
  std::uint64_t sent = 0;
  bool refused = false;
  bool unreadable = false;
  bool not_taken = false;

  std::uint64_t bytes() const { return request.part ? request.part->bytes : request.body.size(); }

  static std::size_t on_header(char* text, std::size_t size, std::size_t count, void* self) {
    auto& call = *static_cast<Call*>(self);
    const std::string_view line = trimmed({text, size * count});
    const std::size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
      call.answer.headers.clear();  // of an interim answer
    } else if (colon != line.npos && call.answer.headers.size() < headers_max) {
      call.answer.headers[lower_case(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
    }
    return size * count;
  }

  static std::size_t give(char* into, std::size_t size, std::size_t count, void* self) {
    auto& call = *static_cast<Call*>(self);
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(size * count, call.bytes() - call.sent));
    if (call.request.part) {
      const FilePart& part = *call.request.part;
      const std::int64_t got = part.file->read(part.from + call.sent, into, wanted);
      call.unreadable = got < static_cast<std::int64_t>(wanted);
      if (call.unreadable) return CURL_READFUNC_ABORT;
    } else {
      std::copy_n(call.request.body.data() + call.sent, wanted, into);
    }
    call.sent += wanted;
    return wanted;
  }

  /// libcurl begins again if a kept connection was closed. The same bytes at the same place do no
  /// harm.
  static int rewind(void* self, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    static_cast<Call*>(self)->sent = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  static std::size_t take(char* text, std::size_t size, std::size_t count, void* self) {
    auto& call = *static_cast<Call*>(self);
    const std::string_view bytes(text, size * count);
    long status = 0;
    curl_easy_getinfo(call.curl, CURLINFO_RESPONSE_CODE, &status);
    if (call.request.take && status >= 200 && status < 300) {
      call.not_taken = !call.request.take(bytes);
      return call.not_taken ? 0 : bytes.size();
    }
    if (call.answer.body.size() + bytes.size() > answer_bytes_max) return 0;
    call.answer.body += bytes;
    return bytes.size();
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& call = *static_cast<Call*>(self);
    call.answer.stopped = call.answer.stopped || call.stopped();
    return call.answer.stopped ? 1 : 0;
  }
};

S3Client::S3Client(S3Options options)
    : options_(std::move(options)), handle_(std::make_unique<Handle>()) {}

S3Client::~S3Client() = default;

S3Answer S3Client::call(const S3Request& request, const std::function<bool()>& stopped) {
  CURL* const curl = handle_->curl;
  Call call{request, stopped, curl};
  if (stopped()) {
    call.answer.stopped = true;
    return std::move(call.answer);
  }
  const auto set = [curl](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  curl_easy_reset(curl);  // keeps the connection
  webhooks::set_common_options(curl, options_.allow_private, options_.ca_file);
  if (!options_.allow_private) webhooks::refuse_private_addresses(curl, call.refused);
  std::string url = object_url(options_.endpoint, options_.bucket, options_.region,
                               options_.path_style, request.key);
  if (!request.query.empty()) url += "?" + request.query;
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, std::max<long>(1, options_.timeout.count() / 1000));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, Call::on_progress);
  set(CURLOPT_XFERINFODATA, &call);
  set(CURLOPT_HEADERFUNCTION, Call::on_header);
  set(CURLOPT_HEADERDATA, &call);
  set(CURLOPT_WRITEFUNCTION, Call::take);
  set(CURLOPT_WRITEDATA, &call);
  set(CURLOPT_READFUNCTION, Call::give);
  set(CURLOPT_READDATA, &call);
  set(CURLOPT_SEEKFUNCTION, Call::rewind);
  set(CURLOPT_SEEKDATA, &call);
  char error[CURL_ERROR_SIZE] = {};
  set(CURLOPT_ERRORBUFFER, error);

  const std::string_view method = request.method;
  if (method == "PUT") {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(call.bytes()));
  } else if (method == "POST") {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.bytes()));
  } else if (method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (method == "DELETE") {
    set(CURLOPT_CUSTOMREQUEST, "DELETE");
  }

  // libcurl signs a request with the digest that this header has. Without it, 7.88 signs another
  // one than it sends, and R2 demands it.
  const std::string digest = request.part ? request.part->sha256 : to_hex(sha256(request.body));
  curl_slist* list = curl_slist_append(nullptr, ("x-amz-content-sha256: " + digest).c_str());
  for (const auto& [name, value] : request.headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  set(CURLOPT_HTTPHEADER, list);
  const std::string kind = "aws:amz:" + options_.region + ":s3";
  set(CURLOPT_AWS_SIGV4, kind.c_str());
  set(CURLOPT_USERNAME, options_.access_key.reveal().c_str());
  set(CURLOPT_PASSWORD, options_.secret_key.reveal().c_str());

  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(list);
  set(CURLOPT_ERRORBUFFER, nullptr);
  set(CURLOPT_HTTPHEADER, nullptr);
  S3Answer& answer = call.answer;
  answer.status = static_cast<int>(status);
  if (code == CURLE_OK) return std::move(answer);
  // A service that refuses a call may close the connection before it has the whole body.
  if (answer.status >= 300 && !answer.stopped) return std::move(answer);
  if (call.refused)
    answer.error = "its address is private; recording.s3_allow_private = true would admit it";
  else if (call.unreadable)
    answer.error = "the file has become shorter, or cannot be read";
  else if (call.not_taken)
    answer.error = "the disk does not take the object, or it is longer than it was";
  else
    answer.error = error[0] ? error : curl_easy_strerror(code);
  return std::move(answer);
}

}  // namespace verbatim::bucket
