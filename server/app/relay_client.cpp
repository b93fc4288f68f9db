#include "server/app/relay_client.hpp"

#include <curl/curl.h>

#include <cstdlib>
#include <iostream>
#include <memory>

#include "base/base64.hpp"
#include "base/json/tree.hpp"
#include "base/url.hpp"
#include "config/secrets.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/health_check.hpp"
#include "server/net/certificate.hpp"

namespace verbatim::app {

namespace {

constexpr long connect_seconds = 5;
/// Longer than a relay waits for its disk (session.end_wait).
constexpr long answer_seconds = 90;

bool is_of_this_machine(const std::string& url) {
  const auto address = parse_address(url);
  return address && (address->host == "localhost" || address->host == "::1" ||
                     address->host.starts_with("127."));
}

/// The public key of the first certificate in the file, as libcurl pins it; empty: there is none.
std::string pin_of(const std::filesystem::path& certificate) {
  const auto read = net::CertificateFile::read(certificate);
  const std::string digest = read ? read->key_digest() : std::string();
  return digest.empty() ? digest : "sha256//" + base64(digest);
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
                    "authorities of the relay's certificate; default: the system's, or on this "
                    "machine the relay's own certificate");
}

RelayClient::RelayClient(const config::Settings& settings, const RelayOptions& options)
    : url_(options.url.empty() ? local_url(settings.server.listen, settings.tls.enabled)
                               : options.url),
      ca_file_(options.ca_file) {
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
  pin_ = pin_of(settings.tls.cert_file.empty() ? own_certificate_in(settings.server.data_dir)
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
  const auto problem = Json::parse(answer.body, nullptr, false);
  std::string detail = problem.is_object() ? problem.value("detail", std::string()) : std::string();
  if (detail.empty()) detail = "the relay answered " + std::to_string(answer.status);
  if (answer.status == 401)
    detail += std::string(" Set ") + api_key_variable + ", or name a file with --key-file.";
  return fail(detail, answer.status == 404   ? exit_code::not_found
                      : answer.status == 400 ? exit_code::bad_usage
                                             : exit_code::failed);
}

}  // namespace verbatim::app
