#include "server/api/responses.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/crypto.hpp"
#include "base/json/dump.hpp"
#include "server/relay/access/misplaced_secret.hpp"

namespace verbatim::server {

using nlohmann::json;

HttpResponse json_response(const json& value, int status) {
  HttpResponse response;
  response.status = status;
  response.body = dump(value);
  return response;
}

HttpResponse tagged(const HttpRequest& request, std::string_view tag,
                    const std::function<HttpResponse()>& make) {
  const auto known = split_list(request.header("If-None-Match"));
  const auto names_it = [tag](const std::string& one) {
    return one == "*" || one == tag || (one.starts_with("W/") && one.substr(2) == tag);
  };
  HttpResponse response;
  if (request.method == "GET" && std::any_of(known.begin(), known.end(), names_it)) {
    response.status = 304;
    response.content_type.clear();
  } else {
    response = make();
  }
  response.headers.emplace_back("ETag", tag);
  response.headers.emplace_back("Cache-Control", "no-cache");
  return response;
}

std::string tag_of(std::string_view body) {
  return "\"" + to_hex(sha256(body)).substr(0, 32) + "\"";
}

HttpResponse tagged(const HttpRequest& request, HttpResponse response) {
  const std::string tag = tag_of(response.body);
  return tagged(request, tag, [&response] { return std::move(response); });
}

HttpResponse unauthorized(const HttpRequest& request, const AuthFailure& failure) {
  const bool mint = request.path.starts_with("/v1/realtime/");
  HttpResponse response = mint ? openai_error(failure.status, failure.code, failure.message)
                               : problem(failure.status, failure.code, failure.message);
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

HttpResponse not_found() {
  return problem(404, "not found",
                 "There is no such session, or this credential has no access to it.");
}

HttpResponse retry_later(HttpResponse response) {
  response.headers.emplace_back("Retry-After", "10");
  return response;
}

HttpResponse no_content() {
  HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  return response;
}

std::optional<HttpResponse> refuse_secrets(
    const IdGuard& ids, std::initializer_list<std::pair<const char*, std::string_view>> fields) {
  for (const auto& [name, value] : fields) {
    if (ids.admits(value)) continue;
    return problem(400, "invalid value", std::string(name) + std::string(IdGuard::why));
  }
  return std::nullopt;
}

}  // namespace verbatim::server
