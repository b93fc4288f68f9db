#include "server/webhooks/curl_handle.hpp"

#include <sys/socket.h>

#include <mutex>
#include <stdexcept>

#include "server/webhooks/private_address.hpp"

namespace verbatim::webhooks {

namespace {

/// Checks the address at the moment of the connection. A name that resolves differently between a
/// check and the call (DNS rebinding) cannot get around it.
curl_socket_t open_public_socket(void* refused, curlsocktype, curl_sockaddr* address) {
  if (is_private_address(&address->addr)) {
    *static_cast<bool*>(refused) = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

curl_socket_t open_any_socket(void*, curlsocktype, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace

CURL* new_curl_handle() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  CURL* const handle = curl_easy_init();
  if (handle == nullptr) throw std::runtime_error("libcurl cannot be initialised");
  return handle;
}

void set_common_options(CURL* handle, bool allow_http, const std::string& ca_file) {
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, allow_http ? "https,http" : "https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  // Otherwise libcurl uses the proxy in the environment.
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  // Otherwise the end of a call waits for its name lookup, and all other calls with it.
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_any_socket);
  if (!ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "verbatim/" VERBATIM_VERSION);
}

void refuse_private_addresses(CURL* handle, bool& refused) {
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_public_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &refused);
}

}  // namespace verbatim::webhooks
