#include "session/protocol/openai/dial.hpp"

#include "base/url.hpp"

namespace verbatim::protocol {

namespace {

// Adds a parameter if the URL does not have it.
std::string with_parameter(std::string target, const std::string& name, const std::string& value) {
  if (name.empty() || value.empty()) return target;
  const std::size_t mark = target.find('?');
  const std::string query =
      mark == std::string::npos ? std::string("&") : "&" + target.substr(mark + 1);
  if (query.find("&" + name + "=") != std::string::npos) return target;
  target += mark == std::string::npos ? '?' : '&';
  return target + name + "=" + percent_encoded(value);
}

std::string target_of(const DialWish& wish) {
  if (wish.type == SessionType::transcription) {
    // With a model the provider treats it as a conversation, and refuses the transcription type.
    return with_parameter(without_parameter(wish.target, wish.model_parameter), "intent",
                          "transcription");
  }
  return with_parameter(wish.target, wish.model_parameter, wish.model);
}

}  // namespace

DialRequest dial_request(const DialWish& wish) {
  DialRequest request{target_of(wish), {}};
  if (!wish.organization.empty())
    request.headers.emplace_back("OpenAI-Organization", wish.organization);
  if (!wish.project.empty()) request.headers.emplace_back("OpenAI-Project", wish.project);
  return request;
}

}  // namespace verbatim::protocol
