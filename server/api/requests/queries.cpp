#include "server/api/requests/queries.hpp"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace verbatim::requests {

namespace {

constexpr int transcript_wait_seconds_max = 300;
constexpr int page_limit_max = 500;

/// Digits and nothing else.
template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

net::Refusal wrong(const std::string& name, const char* accepted) {
  return net::Refusal(
      net::problem(400, "invalid parameter", "'" + name + "' must be " + accepted + "."));
}

net::Refusal unknown(const std::string& name, const char* known) {
  return net::Refusal(
      net::problem(400, "unknown parameter", "'" + name + "' is not one of " + known + "."));
}

/// The size of a page.
std::optional<std::size_t> page_limit(std::string_view text) {
  const auto limit = whole_number<int>(text);
  if (!limit || *limit < 1 || *limit > page_limit_max) return std::nullopt;
  return static_cast<std::size_t>(*limit);
}

}  // namespace

std::optional<TimeMs> parse_time(std::string_view text) {
  if (const auto number = whole_number<std::int64_t>(text)) {
    return *number < 100'000'000'000 ? *number * 1000 : *number;
  }
  const std::string copy(text);
  std::tm parts{};
  TimeMs ms = 0;
  const char* rest = strptime(copy.c_str(), "%Y-%m-%d", &parts);
  if (rest && *rest == 'T') {
    rest = strptime(rest, "T%H:%M:%S", &parts);
    if (rest && *rest == '.') {
      const std::size_t digits = std::strspn(rest + 1, "0123456789");
      std::string thousandths(rest + 1, std::min<std::size_t>(digits, 3));
      thousandths.resize(3, '0');
      ms = whole_number<TimeMs>(thousandths).value_or(0);
      rest += 1 + digits;
    }
    if (rest && *rest == 'Z') ++rest;
  }
  if (rest != copy.c_str() + copy.size()) return std::nullopt;
  return static_cast<TimeMs>(timegm(&parts)) * 1000 + ms;
}

net::Result<store::SessionFilter> read_session_filter(const net::HttpRequest& request) {
  store::SessionFilter filter;
  for (const auto& [name, value] : request.query) {
    if (name == "status") {
      filter.status = transcript::session_status_from_string(value);
      if (!filter.status) return wrong(name, "created, live, detached or final");
    } else if (name == "user") {
      filter.user = value;
    } else if (name == "since" || name == "until") {
      const auto time = parse_time(value);
      if (!time) return wrong(name, "a time such as 2026-11-23T21:50:51Z, or Unix seconds");
      (name == "since" ? filter.since : filter.until) = time;
    } else if (name == "limit") {
      const auto limit = page_limit(value);
      if (!limit) return wrong(name, "a number from 1 to 500");
      filter.limit = *limit;
    } else if (name == "cursor") {
      if (!whole_number<std::int64_t>(value)) return wrong(name, "a next_cursor of this list");
      filter.cursor = value;
    } else if (name.starts_with("metadata.") && name.size() > 9) {
      filter.metadata.emplace_back(name.substr(9), value);
    } else {
      return unknown(name, "status, user, since, until, limit, cursor, metadata.KEY");
    }
  }
  return filter;
}

net::Result<store::TokenFilter> read_token_filter(const net::HttpRequest& request) {
  store::TokenFilter filter;
  for (const auto& [name, value] : request.query) {
    if (name == "user") {
      filter.user = value;
    } else if (name == "session") {
      filter.session_id = value;
    } else if (name == "limit") {
      const auto limit = page_limit(value);
      if (!limit) return wrong(name, "a number from 1 to 500");
      filter.limit = *limit;
    } else if (name == "cursor") {
      if (!whole_number<std::int64_t>(value)) return wrong(name, "a next_cursor of this list");
      filter.cursor = value;
    } else {
      return unknown(name, "user, session, limit, cursor");
    }
  }
  return filter;
}

net::Result<store::DeliveryFilter> read_delivery_filter(const net::HttpRequest& request) {
  store::DeliveryFilter filter;
  for (const auto& [name, value] : request.query) {
    if (name == "target") {
      filter.target = value;
    } else if (name == "session") {
      filter.session_id = value;
    } else if (name == "state") {
      filter.state = store::delivery_state_from_string(value);
      if (!filter.state) return wrong(name, "waiting, delivered or dead");
    } else if (name == "limit") {
      const auto limit = page_limit(value);
      if (!limit) return wrong(name, "a number from 1 to 500");
      filter.limit = *limit;
    } else if (name == "cursor") {
      const std::size_t point = value.find('.');
      if (point == std::string::npos || !whole_number<std::int64_t>(value.substr(0, point)) ||
          !whole_number<int>(value.substr(point + 1)))
        return wrong(name, "a next_cursor of this list");
      filter.cursor = value;
    } else {
      return unknown(name, "target, state, session, limit, cursor");
    }
  }
  return filter;
}

net::Result<std::optional<int>> read_attempt(const net::HttpRequest& request) {
  const auto asked = request.parameter("attempt");
  if (!asked) return std::optional<int>();
  const auto number = whole_number<int>(*asked);
  if (!number || *number < 1) return wrong("attempt", "a number from 1");
  return number;
}

net::Result<TranscriptQuery> read_transcript_query(const net::HttpRequest& request) {
  TranscriptQuery query;
  if (const auto asked = request.parameter("attempt"); asked == "all") {
    query.all_attempts = true;
  } else if (asked) {
    query.attempt = whole_number<int>(*asked);
    if (!query.attempt || *query.attempt < 1) return wrong("attempt", "a number from 1, or all");
  }
  const auto format = transcript::format_from_string(request.parameter("format").value_or("json"));
  if (!format) return wrong("format", "json, jsonl, text, markdown, vtt or srt");
  query.format = *format;
  if (const auto asked = request.parameter("wait")) {
    const auto seconds = whole_number<int>(*asked);
    if (!seconds) return wrong("wait", "a number of seconds");
    query.wait = std::chrono::seconds(std::min(*seconds, transcript_wait_seconds_max));
  }
  return query;
}

}  // namespace verbatim::requests
