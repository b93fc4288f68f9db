#include "server/api/answer_limits.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "server/api/responses.hpp"

namespace verbatim::api {

net::AnswerMemory::Owner owner_of(const RequestContext& context) {
  return {context.share(), context.is_client()};
}

net::HttpResponse within_memory(const ApiParts& api, const RequestContext& context,
                                net::HttpResponse response) {
  if (response.memory || response.body.size() <= net::AnswerMemory::free_bytes) return response;
  const auto memory = std::make_shared<net::AnswerMemory::Share>(api.answers, owner_of(context));
  if (!memory->resize(response.body.size())) return no_memory_for_answer(api, context);
  response.memory = memory;
  return response;
}

net::HttpResponse no_memory_for_answer(const ApiParts& api, const RequestContext& context) {
  if (api.answers.worth_a_line(net::Clock::now())) {
    const net::AnswerMemory::Counts counts = api.answers.counts();
    api.log.warn("answers.refused",
                 {{"remote", context.request.remote},
                  {"held", counts.held},
                  {"refused", counts.refused},
                  {"now",
                   "requests for large answers get 503 until others have been read; raise "
                   "server.answers_bytes_max if this is not an attack"}});
  }
  return retry_later(net::problem(503, "too many answers",
                                  "Unread answers take as much memory as server.answers_bytes_max "
                                  "allows. Read them, and try again later."));
}

}  // namespace verbatim::api
