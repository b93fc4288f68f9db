#include "server/fleet/database/shipped_rows.hpp"

#include <algorithm>
#include <vector>

namespace verbatim::database {

namespace {

/// Ids of tokens have no comma.
std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from < list.size();) {
    const std::size_t end = std::min(list.find(',', from), list.size());
    parts.push_back(list.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

}  // namespace

store::ShippedSession read_session(Columns& from, const std::string& id) {
  store::ShippedSession session;
  session.id = id;
  session.user = from.bytes();
  session.metadata_json = from.bytes();
  session.private_json = from.bytes();
  session.created_at = from.integer();
  session.idempotency = from.maybe_text();
  session.request = from.maybe_text();
  session.tokens = parts_of(from.text());
  return session;
}

store::ShippedAttempt read_attempt(Columns& from, const std::string& session_id) {
  store::ShippedAttempt attempt;
  attempt.name = {session_id, from.number()};
  attempt.status = from.number();
  attempt.started_at = from.integer();
  attempt.ended_at = from.maybe_integer();
  attempt.close_reason = from.maybe_number();
  attempt.model = from.bytes();
  attempt.complete = from.flag();
  attempt.gaps_json = from.bytes();
  attempt.usage_json = from.bytes();
  attempt.suspended_at = from.maybe_integer();
  attempt.settings_json = from.maybe_bytes();
  attempt.copies = from.integer();
  attempt.copy_turns = from.integer();
  attempt.copy_bytes = from.integer();
  attempt.merged_turns = from.maybe_integer();
  attempt.merged_complete = from.maybe_flag();
  return attempt;
}

store::ShippedTurn read_turn(Columns& from) {
  store::ShippedTurn turn;
  turn.item_id = from.bytes();
  turn.ordinal = from.number();
  turn.role = from.number();
  turn.status = from.number();
  turn.text = from.bytes();
  turn.heard_ms = from.maybe_integer();
  turn.heard_text = from.maybe_bytes();
  turn.reason = from.bytes();
  turn.deleted = from.flag();
  turn.response_id = from.bytes();
  turn.started_at = from.maybe_integer();
  turn.ended_at = from.maybe_integer();
  turn.audio_ms = from.integer();
  return turn;
}

store::ShippedToolCall read_tool_call(Columns& from) {
  store::ShippedToolCall call;
  call.number = from.number();
  call.after = from.number();
  call.item_id = from.bytes();
  call.call_id = from.bytes();
  call.kind = from.number();
  call.status = from.number();
  call.name = from.bytes();
  call.server = from.bytes();
  call.arguments = from.bytes();
  call.output = from.maybe_bytes();
  call.error = from.bytes();
  call.approval_json = from.maybe_bytes();
  call.deleted = from.flag();
  call.response_id = from.bytes();
  call.started_at = from.maybe_integer();
  call.ended_at = from.maybe_integer();
  return call;
}

store::ShippedCopy read_copy(Columns& from, const store::AttemptName& attempt) {
  store::ShippedCopy copy;
  copy.attempt = attempt;
  copy.writer = from.bytes();
  copy.posted_at = from.integer();
  copy.body = from.bytes();
  return copy;
}

store::ShippedToken read_token(Columns& from) {
  store::ShippedToken token;
  token.id = from.text();
  token.user = from.bytes();
  token.session_id = from.text();
  token.session_open = from.flag();
  token.session_config = from.bytes();
  token.terms_json = from.bytes();
  token.private_json = from.bytes();
  token.created_at = from.integer();
  token.expires_at = from.integer();
  token.revoked_at = from.maybe_integer();
  token.made_by = from.text();
  return token;
}

}  // namespace verbatim::database
