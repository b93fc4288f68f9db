#include "server/api/path_form.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
namespace verbatim::api {

namespace {

/// "not found" -> "not_found"
std::string code_of(std::string title) {
  std::replace(title.begin(), title.end(), ' ', '_');
  return title;
}

net::HttpResponse in_providers_shape(net::HttpResponse refusal) {
  const Json body = Json::parse(refusal.body, nullptr, false);
  net::HttpResponse shaped =
      net::openai_error(refusal.status, code_of(body.value("title", "")), body.value("detail", ""));
  shaped.headers = std::move(refusal.headers);
  return shaped;
}

net::HttpResponse in_envelope(net::HttpResponse response) {
  Json body = Json::parse(response.body, nullptr, false);
  Json wrapped;
  if (response.status < 400) {
    wrapped = {{"ok", true}, {"data", std::move(body)}};
  } else {
    const bool is_problem = body.is_object() && body.contains("title");
    wrapped = {{"ok", false},
               {"error",
                {{"type", is_problem ? body["title"] : Json("error")},
                 {"message", is_problem ? body.value("detail", "") : response.body}}}};
  }
  response.content_type = "application/json";
  response.body = dump(wrapped);
  return response;
}

}  // namespace

net::HttpResponse in_form_of(const std::string& path, net::HttpResponse response) {
  if (response.of_peer) return response;
  if (net::is_realtime_path(path) && response.content_type == net::problem_content_type) {
    return in_providers_shape(std::move(response));
  }
  return path.starts_with("/api/") ? in_envelope(std::move(response)) : response;
}

}  // namespace verbatim::api
