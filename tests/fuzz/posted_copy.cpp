// Any bytes as a posted copy, and as the body that makes a session. An accepted body is within its
// limits and is returned by the store unchanged; a refused one is answered as JSON.
#include <cstdint>

#include "base/ids.hpp"
#include "base/json/view.hpp"
#include "server/api/requests/posted_copy.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/requests/session.hpp"
#include "session/transcript/merge/merge.hpp"
#include "session/transcript/render/render.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::net;
using namespace verbatim::requests;

namespace {

void check_refusal(const HttpResponse& refused) {
  demand(refused.status == 400 || refused.status == 413);
  demand(!verbatim::json::check(refused.body));
}

void check_time(const std::optional<TimeMs>& time) {
  if (time) demand(parse_time(iso_time(*time)).has_value());
}

void check_copy(std::string_view body) {
  config::Posts limits = config::Settings().posts;
  limits.turns_max = 64;
  limits.turn_bytes_max = 1024;
  auto read = read_posted_copy(body, limits);
  if (!read) return check_refusal(read.error());
  const PostedBody& posted = *read;
  demand(!posted.attempt || *posted.attempt >= 1);
  demand(posted.turns.size() <= limits.turns_max);
  for (const transcript::CopyTurn& turn : posted.turns) {
    demand(turn.role == transcript::Role::user || turn.role == transcript::Role::assistant ||
           turn.role == transcript::Role::system);
    demand(turn.text.utf8().size() <= limits.turn_bytes_max && turn.item_id.size() <= 128);
    demand(!turn.ordinal || *turn.ordinal >= 0);
    check_time(turn.started_at);
    check_time(turn.ended_at);
  }
  const auto stored = transcript::decode_turns(transcript::encode_turns(posted.turns));
  demand(stored && *stored == posted.turns);
  transcript::TranscriptView view;
  view.show(transcript::merge({}, {{"agent", posted.turns}, {"client", posted.turns}}));
  demand(!verbatim::json::check(transcript::render(view, transcript::Format::json)));
}

void check_session(std::string_view body) {
  auto read = read_session_request(body);
  if (!read) return check_refusal(read.error());
  const SessionRequest& asked = *read;
  demand(asked.session_id.empty() || is_valid_session_id(asked.session_id));
  for (const std::string& part : {asked.metadata, asked.private_metadata})
    demand(part.size() <= metadata_bytes_max && !verbatim::json::check(part));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_copy(bytes);
  check_session(bytes);
  return 0;
}
