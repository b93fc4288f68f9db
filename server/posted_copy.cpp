#include "server/posted_copy.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/session_queries.hpp"
#include "session/json_view.hpp"
#include "session/names.hpp"

namespace verbatim::server {

namespace {

using nlohmann::json;
using session::Role;

/// What agents, browsers and their frameworks call the two sides.
constexpr session::Name<Role> roles[] = {
    {Role::user, "user"},       {Role::assistant, "assistant"}, {Role::system, "system"},
    {Role::user, "human"},      {Role::assistant, "agent"},     {Role::assistant, "ai"},
    {Role::assistant, "model"}, {Role::assistant, "bot"},       {Role::system, "developer"},
};

constexpr std::size_t name_length_max = 128;
/// Four digits of a year are all that RFC 3339 can write.
constexpr session::TimeMs time_max = 253'402'300'799'999;

struct Wrong {
  int status = 400;
  std::string detail;
};

const json* member(const json& object, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const auto at = object.find(name); at != object.end() && !at->is_null()) return &*at;
  return nullptr;
}

std::string string_at(const json& object, const std::string& place,
                      std::initializer_list<const char*> names) {
  const json* found = member(object, names);
  if (!found) return {};
  if (!found->is_string()) throw Wrong{400, place + *names.begin() + " must be a string."};
  return found->get<std::string>();
}

std::optional<int> number_at(const json& object, const std::string& place, int least,
                             std::initializer_list<const char*> names) {
  const json* found = member(object, names);
  if (!found) return std::nullopt;
  constexpr std::int64_t most = 1'000'000'000;
  if (!found->is_number_integer() || found->get<std::int64_t>() < least ||
      found->get<std::int64_t>() > most)
    throw Wrong{400, place + *names.begin() + " must be a whole number from " +
                         std::to_string(least) + "."};
  return static_cast<int>(found->get<std::int64_t>());
}

std::optional<session::TimeMs> time_at(const json& object, const std::string& place,
                                       std::initializer_list<const char*> names) {
  const json* found = member(object, names);
  if (!found) return std::nullopt;
  std::optional<session::TimeMs> time;
  if (found->is_string()) time = parse_time(found->get<std::string>());
  if (found->is_number_integer()) time = parse_time(std::to_string(found->get<std::int64_t>()));
  if (!time || *time < 0 || *time > time_max)
    throw Wrong{400, place + *names.begin() +
                         " must be a time such as 2026-11-23T21:50:51Z, or Unix seconds."};
  return time;
}

session::CopyTurn turn_from(const json& given, const std::string& place,
                            const config::Posts& limits) {
  if (!given.is_object()) throw Wrong{400, place + " must be an object."};
  const std::string at = place.empty() ? "" : place + ".";
  session::CopyTurn turn;
  const std::string role = string_at(given, at, {"role"});
  const auto known = session::value_of(role, roles);
  if (!known) throw Wrong{400, at + "role must be user, assistant or system."};
  turn.role = *known;
  if (!member(given, {"text", "content"})) throw Wrong{400, at + "text is missing."};
  std::string text = string_at(given, at, {"text", "content"});
  if (text.size() > limits.turn_bytes_max)
    throw Wrong{413, at + "text has more than " + std::to_string(limits.turn_bytes_max) +
                         " bytes (posts.turn_bytes_max)."};
  turn.text = session::Text::from_wtf8(std::move(text));
  turn.item_id = string_at(given, at, {"item_id", "itemId"});
  if (turn.item_id.size() > name_length_max)
    throw Wrong{400, at + "item_id must be at most 128 bytes long."};
  turn.ordinal = number_at(given, at, 0, {"ordinal", "turnOrder", "turn_order"});
  if (const std::string status = string_at(given, at, {"status"}); !status.empty()) {
    const auto meant = session::turn_status_from_string(status);
    if (!meant)
      throw Wrong{400, at + "status must be in_progress, completed, interrupted, cancelled, "
                            "truncated or failed."};
    turn.status = *meant;
  }
  turn.started_at = time_at(given, at, {"started_at", "startedAt"});
  turn.ended_at = time_at(given, at, {"ended_at", "endedAt"});
  return turn;
}

Wrong too_many_turns(const config::Posts& limits) {
  return {413, "turns has more than " + std::to_string(limits.turns_max) +
                   " members (posts.turns_max); post it in parts."};
}

/// By a scan: a tree of the smallest of turns takes many times the bytes of the body.
void count_turns(std::string_view body, const config::Posts& limits) {
  session::json::View turns = session::json::View::of(body);
  if (turns.is(session::json::Kind::object)) turns = turns["turns"];
  std::size_t count = 0;
  for (session::json::Elements each(turns); each.next();)
    if (++count > limits.turns_max) throw too_many_turns(limits);
}

PostedBody body_from(const json& given, const config::Posts& limits) {
  PostedBody body;
  const json* turns = &given;
  if (given.is_object()) {
    body.attempt = number_at(given, "", 1, {"attempt", "attemptNumber", "attempt_number"});
    body.writer = string_at(given, "", {"writer"});
    turns = member(given, {"turns"});
  } else if (!given.is_array()) {
    throw Wrong{400, "The body must be an object with turns."};
  }
  if (!turns) {
    body.turns.push_back(turn_from(given, "", limits));
    return body;
  }
  if (!turns->is_array()) throw Wrong{400, "turns must be a list."};
  // Again, for a name that is written with escapes or twice.
  if (turns->size() > limits.turns_max) throw too_many_turns(limits);
  for (std::size_t i = 0; i < turns->size(); ++i) {
    const std::string place = "turns[" + std::to_string(i) + "]";
    const json& one = (*turns)[i];
    body.turns.push_back(turn_from(one, place, limits));
    const auto attempt = number_at(one, place + ".", 1, {"attemptNumber", "attempt_number"});
    if (attempt && body.attempt && *attempt != *body.attempt)
      throw Wrong{400, place + ".attemptNumber is another attempt's; post each on its own."};
    if (attempt) body.attempt = attempt;
  }
  return body;
}

}  // namespace

std::variant<PostedBody, HttpResponse> read_posted_copy(std::string_view body,
                                                        const config::Posts& limits) {
  // The bounded check first: a tree is built by recursion.
  if (const auto fault = session::json::check(body))
    return problem(400, "invalid JSON",
                   "The body is not JSON, at byte " + std::to_string(fault->offset) + ": " +
                       std::string(fault->what) + ".");
  try {
    count_turns(body, limits);
    const json given = json::parse(body, nullptr, false);
    if (given.is_discarded())
      return problem(400, "invalid JSON",
                     "The body is not JSON: it has half a character, or too large a number.");
    return body_from(given, limits);
  } catch (const Wrong& wrong) {
    return problem(wrong.status, wrong.status == 413 ? "too large" : "invalid value", wrong.detail);
  }
}

}  // namespace verbatim::server
