#include "server/api/requests/posted_copy.hpp"

#include <charconv>
#include <utility>

#include "base/assert.hpp"
#include "base/json/tree.hpp"
#include "base/json/view.hpp"
#include "server/api/requests/json_body.hpp"
#include "server/api/requests/posted_turn.hpp"

namespace verbatim::requests {

namespace {

using verbatim::json::View;

struct Wrong {
  int status = 400;
  std::string detail;
};

/// The UTF-16 unit of the escape `\uXXXX` at this place; nullopt if there is none.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) {
  unsigned unit = 0;
  if (text.substr(at, 2) != "\\u" || at + 6 > text.size()) return std::nullopt;
  const char* const digits = text.data() + at + 2;
  const auto [end, error] = std::from_chars(digits, digits + 4, unit, 16);
  if (error != std::errc() || end != digits + 4) return std::nullopt;
  return unit;
}

/// Half of a surrogate pair is not a character and becomes U+FFFD. A writer that cuts text by
/// UTF-16 units makes such halves. The length stays. Precondition: the text is JSON.
std::string without_halves(std::string_view text) {
  VERBATIM_EXPECTS_SLOW(!verbatim::json::check(text));
  std::string whole(text);
  const auto is_half = [](std::optional<unsigned> unit, unsigned first) {
    return unit && *unit >= first && *unit < first + 0x400;
  };
  for (std::size_t at = whole.find('\\'); at != std::string::npos; at = whole.find('\\', at)) {
    const auto unit = escaped_unit(whole, at);
    if (is_half(unit, 0xD800) && is_half(escaped_unit(whole, at + 6), 0xDC00)) {
      at += 12;
    } else {
      if (is_half(unit, 0xD800) || is_half(unit, 0xDC00)) whole.replace(at + 2, 4, "fffd");
      at += unit ? 6 : 2;
    }
  }
  return whole;
}

/// A tree of one value; discarded if a number in it is too large for any.
Json tree_of(View value) { return Json::parse(without_halves(value.raw()), nullptr, false); }

/// The members of the body that are read, however their names are escaped; the last of
/// duplicates, as parsers have it.
struct Body {
  View turns;
  Json others = Json::object();
  bool is_turn = false;  ///< it is a turn, by itself

  explicit Body(View object) {
    for (verbatim::json::Members each(object); each.next();) {
      const Json name = Json::parse(without_halves('"' + std::string(each.key()) + '"'));
      if (name == "turns") turns = each.value();
      if (name == "role" || name == "text" || name == "content") is_turn = true;
      for (const char* wanted : {"writer", "attempt", "attemptNumber", "attempt_number"})
        if (name == wanted) others[wanted] = tree_of(each.value());
    }
    if (turns.is(verbatim::json::Kind::null)) turns = {};
  }
};

std::string why(const PostedTurn& turn) {
  std::string all;
  for (const std::string& problem : turn.problems) all += (all.empty() ? "" : " ") + problem;
  return all;
}

PostedTurn read_turn(View value, const config::Posts& limits) {
  const Json given = tree_of(value);
  if (!given.is_discarded()) return read_posted_turn(given, limits);
  PostedTurn turn;
  turn.outcome = PostedTurn::Outcome::unreadable;
  turn.problems = {"It contains a number that is too large."};
  return turn;
}

void read_head(const Body& body, PostedBody& read) {
  if (const Json* const attempt =
          member(body.others, {"attempt", "attemptNumber", "attempt_number"})) {
    read.attempt = whole_number(*attempt, 1);
    if (!read.attempt) throw Wrong{400, "attempt must be a whole number from 1."};
  }
  if (const Json* const writer = member(body.others, {"writer"})) {
    if (!writer->is_string()) throw Wrong{400, "writer must be a string."};
    read.writer = writer->get<std::string>();
  }
}

/// A single turn that cannot be read is refused: there are no other turns to keep.
void read_alone(View value, const config::Posts& limits, PostedBody& read) {
  PostedTurn turn = read_turn(value, limits);
  using Outcome = PostedTurn::Outcome;
  if (turn.outcome == Outcome::unreadable || turn.outcome == Outcome::too_large)
    throw Wrong{turn.outcome == Outcome::too_large ? 413 : 400, why(turn)};
  if (!turn.problems.empty()) read.skipped.push_back({0, why(turn)});
  if (turn.outcome == Outcome::kept) read.turns.push_back(std::move(turn.turn));
}

void read_turns(View turns, const config::Posts& limits, PostedBody& read) {
  std::size_t index = 0;
  for (verbatim::json::Elements each(turns); each.next(); ++index) {
    PostedTurn turn = read_turn(each.value(), limits);
    bool kept = turn.outcome == PostedTurn::Outcome::kept;
    if (kept && turn.attempt) {
      if (!read.attempt) read.attempt = turn.attempt;
      kept = read.attempt == turn.attempt;
      if (!kept)
        turn.problems = {"attemptNumber names another attempt; post each attempt separately."};
    }
    if (!turn.problems.empty()) read.skipped.push_back({index, why(turn)});
    if (kept) read.turns.push_back(std::move(turn.turn));
  }
}

/// Checks the number of turns by a scan, before anything is built.
void check_count(View turns, const config::Posts& limits) {
  std::size_t count = 0;
  for (verbatim::json::Elements each(turns); each.next();)
    if (++count > limits.turns_max)
      throw Wrong{413, "turns has more than " + std::to_string(limits.turns_max) +
                           " members (posts.turns_max); post it in parts."};
}

PostedBody body_from(View given, const config::Posts& limits) {
  PostedBody read;
  View turns = given;
  if (given.is(verbatim::json::Kind::object)) {
    const Body body(given);
    read_head(body, read);
    if (!body.turns.exists()) {
      if (!body.is_turn) throw Wrong{400, "turns is missing: send a list of turns."};
      read_alone(given, limits, read);
      return read;
    }
    turns = body.turns;
  } else if (!given.is(verbatim::json::Kind::array)) {
    throw Wrong{400, "The body must be an object with turns."};
  }
  if (!turns.is(verbatim::json::Kind::array)) throw Wrong{400, "turns must be a list."};
  check_count(turns, limits);
  read_turns(turns, limits, read);
  return read;
}

}  // namespace

net::Result<PostedBody> read_posted_copy(std::string_view body, const config::Posts& limits) {
  // The bounded check first: a tree is built by recursion.
  if (auto refused = refuse_invalid_json(body)) return net::Refusal(std::move(*refused));
  try {
    PostedBody read = body_from(View::of(body), limits);
    read.encoded = transcript::encode_turns(read.turns);
    return read;
  } catch (const Wrong& wrong) {
    return net::Refusal(net::problem(
        wrong.status, wrong.status == 413 ? "too large" : "invalid value", wrong.detail));
  }
}

}  // namespace verbatim::requests
