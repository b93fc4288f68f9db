#include "server/api/responses.hpp"

#include <algorithm>

#include "base/crypto.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "server/recording/trouble.hpp"
#include "server/relay/access/misplaced_secret.hpp"

namespace verbatim::api {

net::HttpResponse json_response(const Json& value, int status) {
  net::HttpResponse response;
  response.status = status;
  response.body = dump(value);
  return response;
}

net::HttpResponse tagged(const net::HttpRequest& request, std::string_view tag,
                         const std::function<net::HttpResponse()>& make) {
  const auto known = net::split_list(request.header("If-None-Match"));
  const auto names_it = [tag](const std::string& one) {
    return one == "*" || one == tag || (one.starts_with("W/") && one.substr(2) == tag);
  };
  net::HttpResponse response;
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

net::HttpResponse tagged(const net::HttpRequest& request, net::HttpResponse response) {
  const std::string tag = tag_of(response.body);
  return tagged(request, tag, [&response] { return std::move(response); });
}

net::HttpResponse unauthorized(const net::HttpRequest& request,
                               const access::AuthFailure& failure) {
  const bool mint = request.path.starts_with("/v1/realtime/");
  net::HttpResponse response =
      mint ? net::openai_error(failure.status, failure.code, failure.message)
           : net::problem(failure.status, failure.code, failure.message);
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

net::HttpResponse not_found() {
  return net::problem(404, "not found",
                      "There is no such session, or this credential has no access to it.");
}

net::HttpResponse unreadable_recording(const recording::Trouble& trouble) {
  if (trouble.kind == recording::TroubleKind::key_missing)
    return net::problem(409, "recording key missing", trouble.why + ".");
  if (trouble.kind == recording::TroubleKind::elsewhere)
    return retry_later(net::problem(503, "recording in the bucket", trouble.why + "."));
  return net::problem(500, "recording damaged", trouble.why + ".");
}

net::HttpResponse retry_later(net::HttpResponse response) {
  response.headers.emplace_back("Retry-After", "10");
  return response;
}

net::HttpResponse no_content() {
  net::HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  return response;
}

std::optional<net::HttpResponse> refuse_secrets(
    const access::IdGuard& ids,
    std::initializer_list<std::pair<const char*, std::string_view>> fields) {
  for (const auto& [name, value] : fields) {
    if (ids.admits(value)) continue;
    return net::problem(400, "invalid value",
                        std::string(name) + std::string(access::IdGuard::why));
  }
  return std::nullopt;
}

}  // namespace verbatim::api
