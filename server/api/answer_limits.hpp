// Memory for the answers to requests: a large one is counted, or refused with 503.
#pragma once

#include <memory>

#include "server/api/api_parts.hpp"
#include "server/api/request_context.hpp"
#include "server/net/answer_memory.hpp"

namespace verbatim::api {

/// The owner of the memory that the answer to this request takes.
net::AnswerMemory::Owner owner_of(const RequestContext& context);

/// The answer with its part of the memory; 503 if there is no room for it.
net::HttpResponse within_memory(const ApiParts& api, const RequestContext& context,
                                net::HttpResponse response);
net::HttpResponse no_memory_for_answer(const ApiParts& api, const RequestContext& context);

}  // namespace verbatim::api
