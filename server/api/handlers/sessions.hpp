// Handlers and refusals that several files of handlers use.
#pragma once

#include "server/api/handler.hpp"
#include "server/api/live_feed.hpp"

namespace verbatim::api::handlers {

/// Also sets the context's id to the session's.
Handler create_session;
Handler show_session;

/// 501. An index has the sessions of one node, and a part of the answer would look like all of it.
net::HttpResponse no_search_in_fleet();
/// 429 or 503, for one more event stream.
net::HttpResponse too_many_watchers(LiveFeed::NotAdmitted why);

}  // namespace verbatim::api::handlers
