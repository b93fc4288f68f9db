#include "server/webhooks/call.hpp"

#include <curl/curl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <stdexcept>

namespace verbatim::webhooks {

namespace {

bool is_private_v4(std::uint32_t address) {
  const auto within = [address](std::uint32_t network, int bits) {
    return (address >> (32 - bits)) == (network >> (32 - bits));
  };
  return within(0x00000000, 8) || within(0x0A000000, 8) || within(0x64400000, 10) ||
         within(0x7F000000, 8) || within(0xA9FE0000, 16) || within(0xAC100000, 12) ||
         within(0xC0000000, 24) || within(0xC0000200, 24) || within(0xC0A80000, 16) ||
         within(0xC6120000, 15) || within(0xC6336400, 24) || within(0xCB007100, 24) ||
         within(0xE0000000, 4) || within(0xF0000000, 4);
}

bool is_private_v6(const in6_addr& address) {
  const std::uint8_t* bytes = address.s6_addr;
  const auto v4_at = [bytes](int at) {
    return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
           std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
  };
  static constexpr std::uint8_t zeros[12] = {};
  static constexpr std::uint8_t nat64[12] = {0x00, 0x64, 0xFF, 0x9B};
  if (std::memcmp(bytes, zeros, 10) == 0 && bytes[10] == 0xFF && bytes[11] == 0xFF)
    return is_private_v4(v4_at(12));
  if (std::memcmp(bytes, nat64, 12) == 0) return is_private_v4(v4_at(12));
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return is_private_v4(v4_at(2));
  // Only 2000::/3 is public. In it, 2001::/23 is for protocols (Teredo, tests), and 2001:db8::/32
  // and 3fff::/20 are for documentation.
  if ((bytes[0] & 0xE0) != 0x20) return true;
  const bool protocols = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 2;
  const bool documents =
      (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0D && bytes[3] == 0xB8) ||
      (bytes[0] == 0x3F && bytes[1] == 0xFF && bytes[2] < 0x10);
  return protocols || documents;
}

/// Checks the address at the moment of the connection. A name that resolves differently between a
/// check and the call (DNS rebinding) cannot get around it.
curl_socket_t open_socket(void* refused, curlsocktype, curl_sockaddr* address) {
  if (refused && is_private_address(&address->addr)) {
    *static_cast<bool*>(refused) = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

constexpr std::size_t answer_bytes_max = 64 * 1024;

/// Discards the answer's body, and ends the call if the body is too long.
std::size_t skip_body(char*, std::size_t size, std::size_t count, void* skipped) {
  auto& so_far = *static_cast<std::size_t*>(skipped);
  so_far += size * count;
  return so_far > answer_bytes_max ? 0 : size * count;
}

int look_for_stop(void* stopping, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stopping)->load() ? 1 : 0;
}

CURL* make_handle() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  CURL* handle = curl_easy_init();
  if (!handle) throw std::runtime_error("libcurl cannot be initialised");
  return handle;
}

}  // namespace

bool is_private_address(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return is_private_v4(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
  if (address->sa_family == AF_INET6)
    return is_private_v6(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
  return true;
}

struct WebhookCall::Impl {
  CURL* handle = make_handle();
  bool refused = false;
  std::size_t skipped = 0;
  char error[CURL_ERROR_SIZE] = {};
  ~Impl() { curl_easy_cleanup(handle); }
};

WebhookCall::WebhookCall(std::string url, bool allow_private, std::chrono::milliseconds timeout,
                         const std::atomic<bool>& stopping)
    : impl_(std::make_unique<Impl>()) {
  CURL* const handle = impl_->handle;
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, allow_private ? "https,http" : "https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_PROXY,
                   "");  // otherwise libcurl uses the proxy in the environment
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, allow_private ? nullptr : &impl_->refused);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, skip_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &impl_->skipped);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, impl_->error);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "verbatim/" VERBATIM_VERSION);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, look_for_stop);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &stopping);
}

WebhookCall::~WebhookCall() = default;

WebhookCall::Answer WebhookCall::post(
    const std::string& body, const std::vector<std::pair<std::string, std::string>>& headers) {
  CURL* const handle = impl_->handle;
  impl_->refused = false;
  impl_->skipped = 0;
  impl_->error[0] = '\0';
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const auto& [name, value] : headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const CURLcode code = curl_easy_perform(handle);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, nullptr);
  curl_slist_free_all(list);
  Answer answer;
  long status = 0;
  const bool answered = code == CURLE_OK || impl_->skipped > answer_bytes_max;
  if (answered) curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  if (impl_->refused)
    answer.error = "its address is private; allow_private = true would admit it";
  else if (!answered)
    answer.error = impl_->error[0] ? impl_->error : curl_easy_strerror(code);
  return answer;
}

}  // namespace verbatim::webhooks
