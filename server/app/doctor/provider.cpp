// Examines the provider: name lookup, connection, TLS, and whether it accepts the key. The request
// is GET .../models, which costs nothing.
#include <curl/curl.h>

#include <ctime>
#include <memory>

#include "base/clock.hpp"
#include "base/json/tree.hpp"
#include "server/app/default_provider.hpp"
#include "server/app/doctor/diagnosis.hpp"
#include "server/relay/key_header.hpp"
#include "server/webhooks/curl_handle.hpp"

namespace verbatim::app {

namespace {

constexpr std::size_t models_bytes_max = 4 * 1024 * 1024;
/// Tokens expire by the clock: a larger difference makes them fail.
constexpr std::int64_t clock_difference_max_s = 60;

struct Answer {
  CURLcode failed = CURLE_OK;
  long status = 0;
  long connected_ms = 0;
  long answered_ms = 0;
  std::string body;
  std::int64_t date_s = 0;  ///< the provider's clock; 0: not in the answer
};

std::size_t keep_body(char* bytes, std::size_t size, std::size_t count, void* answer) {
  std::string& body = static_cast<Answer*>(answer)->body;
  if (body.size() + size * count > models_bytes_max) return 0;
  body.append(bytes, size * count);
  return size * count;
}

std::size_t keep_date(char* bytes, std::size_t size, std::size_t count, void* answer) {
  const std::string line(bytes, size * count);
  constexpr std::string_view name = "date:";
  if (line.size() > name.size() && ::strncasecmp(line.c_str(), name.data(), name.size()) == 0) {
    const std::time_t date = curl_getdate(line.c_str() + name.size(), nullptr);
    if (date > 0) static_cast<Answer*>(answer)->date_s = date;
  }
  return size * count;
}

/// .../v1/realtime?model=x -> .../v1/models
std::string models_target(const std::string& target) {
  std::string path = target.substr(0, target.find('?'));
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const std::string query = target.substr(std::min(target.find('?'), target.size()));
  return path.substr(0, path.rfind('/')) + "/models" + query;
}

Answer ask(const config::Upstream& settings, const Address& address) {
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(webhooks::new_curl_handle(),
                                                      curl_easy_cleanup);
  curl_slist* lines = nullptr;
  if (!settings.api_key.empty()) {
    const auto [name, value] = relay::key_header(settings.auth, settings.api_key);
    lines = curl_slist_append(lines, (name + ": " + value).c_str());
  }
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(lines, curl_slist_free_all);
  const std::string url = std::string(address.tls ? "https" : "http") + "://" +
                          authority(address.host, address.port) + models_target(address.target);
  Answer answer;
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  webhooks::set_common_options(curl, true, settings.ca_file);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_PROXY, settings.proxy.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, keep_date);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
  answer.failed = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  double seconds = 0;
  curl_easy_getinfo(curl, address.tls ? CURLINFO_APPCONNECT_TIME : CURLINFO_CONNECT_TIME, &seconds);
  answer.connected_ms = static_cast<long>(seconds * 1000);
  curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &seconds);
  answer.answered_ms = static_cast<long>(seconds * 1000);
  return answer;
}

std::string advice_for(CURLcode failed) {
  switch (failed) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "Check the host in upstream.url, and this machine's DNS (getent hosts HOST).";
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
      return "Check upstream.proxy.";
    case CURLE_COULDNT_CONNECT:
      return "Check the port in upstream.url, and the firewall for outgoing connections.";
    case CURLE_OPERATION_TIMEDOUT:
      return "A firewall may drop the packets: allow outgoing connections, or set upstream.proxy.";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return "Install the system's certificates (ca-certificates), or set upstream.ca_file. A "
             "proxy that inspects TLS needs its own authority there.";
    default:
      return "Check upstream.url and the network.";
  }
}

/// The provider's list has the configured model; also true if it has no list.
bool has_model(const std::string& body, const std::string& model) {
  const auto list = Json::parse(body, nullptr, false);
  if (!list.is_object() || !list.contains("data") || !list["data"].is_array()) return true;
  for (const auto& one : list["data"])
    if (one.is_object() && one.value("id", Json()) == model) return true;
  return list["data"].empty();
}

Diagnosis judge_answer(const config::Upstream& settings, const std::string& host,
                       const Answer& answer) {
  const std::string spent = " (connected in " + std::to_string(answer.connected_ms) +
                            " ms, answered in " + std::to_string(answer.answered_ms) + " ms)";
  const std::string status = std::to_string(answer.status);
  if (answer.status == 401 || answer.status == 403) {
    return {"provider", Health::bad, host + " refuses the key: HTTP status " + status + spent,
            settings.api_key.empty()
                ? "Set upstream.api_key_file, or OPENAI_API_KEY."
                : "Check upstream.api_key_file and upstream.auth, and the key's rights."};
  }
  if (answer.status == 429) {
    return {"provider", Health::warning, host + " answers, but a limit is used up (429)" + spent,
            "Look at the credit and the limits of the provider's account."};
  }
  if (answer.status >= 500) {
    return {"provider", Health::warning, host + " is in trouble: HTTP status " + status + spent,
            "Look at the provider's status page, and try again."};
  }
  if (answer.status != 200) {
    return {"provider", Health::good,
            host + " answers, but lists no models (" + status + "): the key is not checked" + spent,
            ""};
  }
  if (!settings.model.empty() && !has_model(answer.body, settings.model)) {
    return {"provider", Health::warning,
            host + " accepts the key, but does not list the model " + settings.model + spent,
            "Check upstream.model, and whether the key may use it."};
  }
  return {"provider", Health::good, host + " accepts the key" + spent, ""};
}

void compare_clocks(const Answer& answer, Diagnoses& found) {
  if (answer.date_s == 0) return;
  const std::int64_t difference = now().wall / 1000 - answer.date_s;
  if (std::abs(difference) <= clock_difference_max_s) return;
  found.push_back(
      {"clock", Health::bad,
       "this machine's clock differs from the provider's by " + std::to_string(difference) + " s",
       "Tokens expire by the clock: start a time service (systemd-timesyncd, chrony)."});
}

}  // namespace

void examine_provider(const Examined& relay, Diagnoses& found) {
  config::Upstream settings = relay.settings.upstream;
  if (settings.url.empty() && settings.api_key.empty()) {
    found.push_back({"provider", Health::warning,
                     "no provider is configured: answers come from the built-in simulated one",
                     "Set OPENAI_API_KEY or upstream.api_key_file, or upstream.url "
                     "(docs/providers.md)."});
    return;
  }
  if (settings.url.empty()) settings.url = openai_url;
  const auto address = parse_address(settings.url);
  if (!address) {
    found.push_back(
        {"provider", Health::bad, "upstream.url is not a URL", "Correct upstream.url."});
    return;
  }
  const std::string host = authority(address->host, address->port);
  const Answer answer = ask(settings, *address);
  if (answer.failed != CURLE_OK) {
    found.push_back({"provider", Health::bad,
                     "no answer from " + host + ": " + curl_easy_strerror(answer.failed),
                     advice_for(answer.failed)});
    return;
  }
  found.push_back(judge_answer(settings, host, answer));
  compare_clocks(answer, found);
}

}  // namespace verbatim::app
