#include "server/traces/collector.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "base/clock.hpp"
#include "server/webhooks/curl_handle.hpp"

namespace verbatim::traces {

namespace {

constexpr std::int64_t no_end = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t answer_bytes_kept = 64 * 1024;
/// How often a running request looks whether it must end.
constexpr int look_interval_ms = 50;

/// Keeps the start of the answer; the rest is read and dropped, so that the connection can be used
/// again.
std::size_t keep_answer(char* bytes, std::size_t size, std::size_t count, void* to) {
  auto& kept = *static_cast<std::string*>(to);
  const std::size_t room = answer_bytes_kept - std::min(kept.size(), answer_bytes_kept);
  kept.append(bytes, std::min(room, size * count));
  return size * count;
}

}  // namespace

std::string traces_url(std::string url) {
  constexpr std::string_view signal = "/v1/traces";
  const std::size_t path_end = std::min(url.find('?'), url.size());
  std::string path = url.substr(0, path_end);
  while (path.ends_with('/')) path.pop_back();
  if (!path.ends_with(signal)) path += signal;
  return path + url.substr(path_end);
}

struct Collector::Impl {
  CURL* easy = webhooks::new_curl_handle();
  CURLM* multi = curl_multi_init();
  curl_slist* headers = nullptr;
  char error[CURL_ERROR_SIZE] = {};

  ~Impl() {
    curl_easy_cleanup(easy);
    if (multi != nullptr) curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
  }
};

Collector::Collector(const Options& options) : impl_(std::make_unique<Impl>()), end_at_us_(no_end) {
  if (impl_->multi == nullptr) throw std::runtime_error("libcurl cannot be initialised");
  CURL* const easy = impl_->easy;
  curl_easy_setopt(easy, CURLOPT_URL, traces_url(options.url).c_str());
  webhooks::set_common_options(easy, true, options.ca_file);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_answer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, impl_->error);
  impl_->headers = curl_slist_append(impl_->headers, "Expect:");
  impl_->headers = curl_slist_append(impl_->headers, "Content-Type: application/json");
  for (const auto& [name, value] : options.headers)
    impl_->headers = curl_slist_append(impl_->headers, (name + ": " + value).c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, impl_->headers);
}

Collector::~Collector() = default;

Collector::Answer Collector::post(const std::string& body) {
  Answer answer;
  impl_->error[0] = '\0';
  curl_easy_setopt(impl_->easy, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(impl_->easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(impl_->easy, CURLOPT_WRITEDATA, &answer.body);
  curl_multi_add_handle(impl_->multi, impl_->easy);
  CURLcode code = CURLE_ABORTED_BY_CALLBACK;
  int running = 1;
  while (monotonic_us() < end_at_us_.load() &&
         curl_multi_perform(impl_->multi, &running) == CURLM_OK && running > 0)
    curl_multi_poll(impl_->multi, nullptr, 0, look_interval_ms, nullptr);
  int left = 0;
  if (const CURLMsg* const message = curl_multi_info_read(impl_->multi, &left);
      message != nullptr && message->msg == CURLMSG_DONE)
    code = message->data.result;
  if (code == CURLE_OK) {
    long status = 0;
    curl_off_t wait = 0;
    curl_easy_getinfo(impl_->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(impl_->easy, CURLINFO_RETRY_AFTER, &wait);  // 0: there was no such header
    answer.status = static_cast<int>(status);
    if (wait > 0) answer.retry_after = std::chrono::seconds(wait);
  } else {
    answer.error = impl_->error[0] != '\0' ? impl_->error : curl_easy_strerror(code);
  }
  curl_multi_remove_handle(impl_->multi, impl_->easy);
  return answer;
}

void Collector::stop(std::chrono::milliseconds patience) {
  std::int64_t running = no_end;
  const std::int64_t end =
      monotonic_us() + std::chrono::duration_cast<std::chrono::microseconds>(patience).count();
  end_at_us_.compare_exchange_strong(running, end);
}

}  // namespace verbatim::traces
