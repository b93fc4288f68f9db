#include "server/webhooks/call.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "base/ascii.hpp"
#include "server/webhooks/curl_handle.hpp"

namespace verbatim::webhooks {

namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024;
/// Limit for all headers of an answer, those of interim answers included.
constexpr std::size_t header_bytes_max = 64 * 1024;
constexpr long first_final_status = 200;

}  // namespace

struct WebhookCalls::Call {
  explicit Call(const CallOptions& options) : options_(options) {
    curl_easy_setopt(handle, CURLOPT_PRIVATE, this);
    curl_easy_setopt(handle, CURLOPT_URL, options.url.c_str());
    set_common_options(handle, options.allow_private);
    if (!options.allow_private) refuse_private_addresses(handle, refused);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(handle, CURLOPT_READDATA, this);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  }
  ~Call() {
    curl_easy_cleanup(handle);
    curl_slist_free_all(list);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void prepare(std::int64_t number, std::string text, const Headers& headers) {
    id = number;
    body = std::move(text);
    answer = {};
    refused = headers_done = false;
    header_bytes = body_bytes = sent_bytes = 0;
    error[0] = '\0';
    curl_slist_free_all(list);
    // Without this field, libcurl asks before it sends a long body, and waits for the answer.
    list = curl_slist_append(nullptr, "Expect:");
    for (const auto& [name, value] : headers)
      list = curl_slist_append(list, (name + ": " + value).c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }

  /// A complete header is an answer, even if the body breaks off or does not end.
  CallAnswer conclude(CURLcode code) {
    if (!headers_done) answer.status = 0;
    curl_off_t micros = 0;
    curl_easy_getinfo(handle, CURLINFO_TOTAL_TIME_T, &micros);
    answer.took = std::chrono::milliseconds(micros / 1000);
    if (refused)
      answer.error = "its address is private; allow_private = true would admit it";
    else if (header_bytes > header_bytes_max && !headers_done)
      answer.error = "the header of its answer is longer than 64 KiB";
    else if (!headers_done)
      answer.error = error[0]           ? error
                     : code == CURLE_OK ? "no final status"
                                        : curl_easy_strerror(code);
    body.clear();
    return std::move(answer);
  }

  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    return static_cast<Call*>(self)->take_header({bytes, size * count});
  }

  std::size_t take_header(std::string_view line) {
    header_bytes += line.size();
    if (header_bytes > header_bytes_max) return 0;
    if (headers_done) return line.size();  // a field after the body
    const std::string_view content = trimmed(line);
    const std::size_t colon = content.find(':');
    if (content.empty()) {
      end_header();
    } else if (content.starts_with("HTTP/") && content.find(' ') < colon) {
      answer.retry_after.clear();  // of an interim answer
    } else if (colon != content.npos) {
      const std::string name = lower_case(content.substr(0, colon));
      const std::string_view value = trimmed(content.substr(colon + 1));
      if (name == "retry-after") answer.retry_after = value;
      if (name == "date") answer.date = value;
    }
    return line.size();
  }

  void end_header() {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    if (status < first_final_status) return;
    answer.status = static_cast<int>(status);
    headers_done = true;
  }

  /// libcurl sends a request again by itself if a kept connection closes before the answer, unless
  /// it would have to rewind such a function. The target may have acted on the first request, so
  /// the second one is another try, which is counted and comes later.
  static std::size_t give_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& call = *static_cast<Call*>(self);
    const std::size_t given = std::min(size * count, call.body.size() - call.sent_bytes);
    std::copy_n(call.body.data() + call.sent_bytes, given, bytes);
    call.sent_bytes += given;
    return given;
  }

  /// Ends the call if the body is too long.
  static std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& call = *static_cast<Call*>(self);
    const std::size_t length = size * count;
    call.body_bytes += length;
    const std::size_t room = call.options_.answer_bytes_kept - call.answer.body.size();
    call.answer.body.append(bytes, std::min(room, length));
    return call.body_bytes > answer_bytes_max ? 0 : length;
  }

  const CallOptions& options_;
  CURL* handle = new_curl_handle();
  curl_slist* list = nullptr;
  std::int64_t id = 0;
  std::string body;
  CallAnswer answer;
  bool refused = false;
  bool headers_done = false;
  std::size_t header_bytes = 0;
  std::size_t body_bytes = 0;
  std::size_t sent_bytes = 0;
  char error[CURL_ERROR_SIZE] = {};
};

struct WebhookCalls::Impl {
  CallOptions options;
  CURLM* multi = curl_multi_init();
  std::unordered_map<CURL*, std::unique_ptr<Call>> under_way;
  std::vector<std::unique_ptr<Call>> idle;

  ~Impl() {
    for (const auto& [handle, call] : under_way) curl_multi_remove_handle(multi, handle);
    under_way.clear();
    idle.clear();
    curl_multi_cleanup(multi);
  }

  std::vector<std::pair<std::int64_t, CallAnswer>> ended() {
    int running = 0;
    curl_multi_perform(multi, &running);
    std::vector<std::pair<std::int64_t, CallAnswer>> answers;
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      auto node = under_way.extract(message->easy_handle);
      curl_multi_remove_handle(multi, node.key());  // `message` is invalid from here on
      answers.emplace_back(node.mapped()->id, node.mapped()->conclude(code));
      idle.push_back(std::move(node.mapped()));
    }
    return answers;
  }
};

WebhookCalls::WebhookCalls(CallOptions options) {
  impl_ = std::make_unique<Impl>();
  impl_->options = std::move(options);
  if (!impl_->multi) throw std::runtime_error("libcurl cannot be initialised");
}

WebhookCalls::~WebhookCalls() = default;

void WebhookCalls::start(std::int64_t id, std::string body, const Headers& headers) {
  if (impl_->idle.empty()) impl_->idle.push_back(std::make_unique<Call>(impl_->options));
  std::unique_ptr<Call> call = std::move(impl_->idle.back());
  impl_->idle.pop_back();
  call->prepare(id, std::move(body), headers);
  CURL* const handle = call->handle;
  impl_->under_way.emplace(handle, std::move(call));
  curl_multi_add_handle(impl_->multi, handle);
}

std::vector<std::pair<std::int64_t, CallAnswer>> WebhookCalls::wait(
    std::chrono::milliseconds at_most) {
  auto answers = impl_->ended();
  if (!answers.empty()) return answers;
  int events = 0;
  curl_multi_poll(impl_->multi, nullptr, 0, static_cast<int>(at_most.count()), &events);
  return impl_->ended();
}

void WebhookCalls::wake() { curl_multi_wakeup(impl_->multi); }

}  // namespace verbatim::webhooks
