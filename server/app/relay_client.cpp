#include "server/app/relay_client.hpp"

#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "base/url.hpp"
#include "config/secrets.hpp"
#include "server/app/data_dir.hpp"

namespace verbatim::app {

namespace {

constexpr long connect_seconds = 5;
/// Longer than a relay waits for its disk (session.end_wait).
constexpr long answer_seconds = 90;

/// The address at which this machine reaches the relay. One for all interfaces cannot be connected
/// to.
std::string own_url(const config::Settings& settings) {
  Endpoint listen = settings.server.listen;
  if (listen.host == "0.0.0.0") listen.host = "127.0.0.1";
  if (listen.host == "::") listen.host = "::1";
  const bool bracket = listen.host.find(':') != std::string::npos;
  return std::string(settings.tls.enabled ? "https://" : "http://") + (bracket ? "[" : "") +
         listen.host + (bracket ? "]" : "") + ":" + std::to_string(listen.port);
}

bool is_of_this_machine(const std::string& url) {
  const auto address = parse_address(url);
  return address && (address->host == "localhost" || address->host == "::1" ||
                     address->host.starts_with("127."));
}

/// The SHA-256 of the public key of the first certificate in the file; empty: there is none.
std::string pin_of(const std::filesystem::path& certificate) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(certificate.c_str(), "re"), [](std::FILE* one) { return std::fclose(one); });
  if (!file) return {};
  const std::unique_ptr<X509, void (*)(X509*)> read(
      PEM_read_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
  if (!read) return {};
  unsigned char* bytes = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(read.get()), &bytes);
  if (size <= 0) return {};
  const std::string key(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  const auto digest = sha256(key);
  return "sha256//" + base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::size_t append(char* bytes, std::size_t size, std::size_t count, void* into) {
  static_cast<std::string*>(into)->append(bytes, size * count);
  return size * count;
}

using Handle = std::unique_ptr<CURL, void (*)(CURL*)>;
using HeaderLines = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

}  // namespace

void add_relay_options(CLI::App& parser, RelayOptions& options) {
  parser.add_option("--url", options.url, "address of the relay; default: server.listen");
  parser.add_option(
      "--key-file", options.key_file,
      std::string("file with a back-end key; default: the variable ") + api_key_variable);
  parser.add_option("--ca-file", options.ca_file,
                    "authorities of the relay's certificate; default: the system's");
}

RelayClient::RelayClient(const config::Settings& settings, const RelayOptions& options)
    : url_(options.url.empty() ? own_url(settings) : options.url), ca_file_(options.ca_file) {
  while (url_.ends_with('/')) url_.pop_back();
  if (!options.key_file.empty()) {
    try {
      key_ = config::read_secret_file(options.key_file);
    } catch (const std::exception& error) {
      throw config::ConfigError("--key-file " + options.key_file + " " + error.what() +
                                ". The first line of `verbatim keygen` alone is the key.");
    }
  } else if (const char* const key = std::getenv(api_key_variable)) {
    key_ = Secret(key);
  }
  if (!is_of_this_machine(url_) || !ca_file_.empty()) return;
  pin_ = pin_of(settings.tls.cert_file.empty()
                    ? std::filesystem::path(settings.server.data_dir) / "tls" / "cert.pem"
                    : std::filesystem::path(settings.tls.cert_file));
}

RelayAnswer RelayClient::call(const std::string& method, const std::string& path,
                              const std::string& body) const {
  RelayAnswer answer;
  const Handle handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) {
    answer.why = "libcurl cannot be initialised";
    return answer;
  }
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  if (!key_.empty())
    list = curl_slist_append(list, ("Authorization: Bearer " + key_.reveal()).c_str());
  if (!body.empty()) list = curl_slist_append(list, "Content-Type: application/json");
  const HeaderLines headers(list, curl_slist_free_all);
  char error[CURL_ERROR_SIZE] = {};
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, (url_ + path).c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(curl, CURLOPT_PROXY, is_of_this_machine(url_) ? "" : nullptr);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, connect_seconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, answer_seconds);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  if (method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }
  if (!ca_file_.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file_.c_str());
  if (!pin_.empty()) {
    // The key is compared, so neither an authority nor the name matters.
    curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin_.c_str());
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) {
    answer.why = error[0] ? error : curl_easy_strerror(code);
    return answer;
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

int fail(const RelayClient& relay, const RelayAnswer& answer) {
  if (answer.status == 0)
    return fail(relay.url() + ": " + answer.why + ". Is the relay running? --url names another",
                exit_code::failed);
  const auto problem = nlohmann::json::parse(answer.body, nullptr, false);
  std::string detail = problem.is_object() ? problem.value("detail", std::string()) : std::string();
  if (detail.empty()) detail = "the relay answered " + std::to_string(answer.status);
  if (answer.status == 401)
    detail += std::string(" Set ") + api_key_variable + ", or name a file with --key-file.";
  return fail(detail, answer.status == 404   ? exit_code::not_found
                      : answer.status == 400 ? exit_code::bad_usage
                                             : exit_code::failed);
}

std::string percent_encoded(const std::string& text) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return encoded;
}

}  // namespace verbatim::app
