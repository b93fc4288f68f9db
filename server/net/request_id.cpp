#include "server/net/request_id.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace verbatim::net {

bool is_request_id(std::string_view id) {
  constexpr std::size_t bytes_max = 128;
  constexpr std::string_view marks = "-_.:+/=@;,~";
  return !id.empty() && id.size() <= bytes_max && std::all_of(id.begin(), id.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

std::string new_request_id() { return new_sortable_id("req_", now().wall); }

void add_request_id(HttpResponse& response, const std::string& id, bool given) {
  response.headers.emplace_back(request_id_header, id);
  if (!given || response.content_type != problem_content_type || !response.body.ends_with('}'))
    return;
  response.body.pop_back();
  response.body += ",\"request_id\":\"" + id + "\"}";
}

}  // namespace verbatim::net
