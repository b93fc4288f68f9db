#include "server/api/requests/queries.hpp"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "base/comma_list.hpp"
#include "base/utf8.hpp"
#include "storage/store/delivery_cursor.hpp"
#include "storage/store/session_cursor.hpp"

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

namespace {

constexpr std::size_t question_bytes_max = 512;
constexpr std::size_t question_words_max = 32;

std::optional<store::SessionSort> sort_from(std::string_view text) {
  using enum store::SessionSort;
  constexpr std::pair<std::string_view, store::SessionSort> names[] = {
      {"-created_at", created_last}, {"created_at", created_first}, {"-ended_at", ended_last},
      {"ended_at", ended_first},     {"user", user_a_to_z},         {"-user", user_z_to_a}};
  for (const auto& [name, sort] : names)
    if (text == name) return sort;
  return std::nullopt;
}

/// Conditions on what a list has. False: the parameter is another one.
net::Result<bool> read_condition(store::SessionFilter& filter, const std::string& name,
                                 const std::string& value) {
  if (name == "status") {
    filter.status = transcript::session_status_from_string(value);
    if (!filter.status) return wrong(name, "created, live, detached, recovering or final");
  } else if (name == "user") {
    filter.user = value;
  } else if (name == "since" || name == "until") {
    const auto time = parse_time(value);
    if (!time) return wrong(name, "a time such as 2026-11-23T21:50:51Z, or Unix seconds");
    (name == "since" ? filter.since : filter.until) = time;
  } else if (name == "q") {
    if (!is_question(value)) return wrong(name, question_form);
    filter.question = value;
  } else if (name.starts_with("metadata.") && name.size() > 9) {
    filter.metadata.emplace_back(name.substr(9), value);
  } else {
    return false;
  }
  return true;
}

/// The order, the size and the members of a page. False: the parameter is another one.
net::Result<bool> read_view(store::SessionFilter& filter, const std::string& name,
                            const std::string& value) {
  if (name == "sort") {
    const auto sort = sort_from(value);
    if (!sort)
      return wrong(name, "created_at, ended_at or user, with - before it for the other direction");
    filter.sort = *sort;
  } else if (name == "total") {
    if (value != "true" && value != "false") return wrong(name, "true or false");
    filter.total = value == "true";
  } else if (name == "limit") {
    const auto limit = page_limit(value);
    if (!limit) return wrong(name, "a number from 1 to 500");
    filter.limit = *limit;
  } else if (name == "cursor") {
    if (value.empty()) return wrong(name, "a next_cursor of this list");
    filter.cursor = value;
  } else {
    return name == "fields";  // read_fields() reads it
  }
  return true;
}

}  // namespace

bool is_question(std::string_view text) {
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  std::size_t words = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!is_blank(text[i]) && (i == 0 || is_blank(text[i - 1]))) ++words;
  return words > 0 && words <= question_words_max && text.size() <= question_bytes_max &&
         utf8::is_valid(text) && text.find('\0') == std::string_view::npos;
}

net::Result<store::SessionFilter> read_session_filter(const net::HttpRequest& request) {
  store::SessionFilter filter;
  for (const auto& [name, value] : request.query) {
    auto taken = read_condition(filter, name, value);
    if (taken && !*taken) taken = read_view(filter, name, value);
    if (!taken) return net::Refusal(std::move(taken).error());
    if (!*taken)
      return unknown(name,
                     "q, status, user, since, until, metadata.KEY, sort, total, fields, limit, "
                     "cursor");
  }
  if (!filter.cursor.empty() && !store::parse_session_cursor(filter.sort, filter.cursor))
    return wrong("cursor", "a next_cursor of this list");
  const bool by_creation = filter.sort == store::SessionSort::created_last ||
                           filter.sort == store::SessionSort::created_first;
  if (!filter.question.empty() && !by_creation)
    return wrong("sort", "created_at or -created_at in a search");
  return filter;
}

net::Result<std::vector<std::string>> read_fields(const net::HttpRequest& request,
                                                  std::span<const std::string_view> known) {
  std::vector<std::string> fields;
  const auto asked = request.parameter("fields");
  if (!asked) return fields;
  fields = net::split_list(*asked);
  const auto is_known = [&](const std::string& one) {
    return std::find(known.begin(), known.end(), one) != known.end();
  };
  if (!fields.empty() && std::all_of(fields.begin(), fields.end(), is_known)) return fields;
  return wrong("fields", ("a list of these: " + comma_list(known)).c_str());
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
      if (!store::parse_delivery_cursor(value)) return wrong(name, "a next_cursor of this list");
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

net::Result<RecordingQuery> read_recording_query(const net::HttpRequest& request) {
  RecordingQuery query;
  auto attempt = read_attempt(request);
  if (!attempt) return net::Refusal(std::move(attempt).error());
  query.attempt = *attempt;
  if (const auto asked = request.parameter("turn")) {
    query.turn = whole_number<int>(*asked);
    if (!query.turn || *query.turn < 1) return wrong("turn", "the ordinal of a turn, from 1");
  }
  const auto track = request.parameter("track").value_or("both");
  if (track == "user") {
    query.track = transcript::AudioTrack::user;
  } else if (track == "assistant") {
    query.track = transcript::AudioTrack::assistant;
  } else if (track != "both") {
    return wrong("track", "both, user or assistant");
  }
  const auto unheard = request.parameter("unheard");
  if (unheard && *unheard != "include") return wrong("unheard", "include");
  query.unheard = unheard.has_value();
  const auto format = request.parameter("format").value_or("wav");
  if (format == "flac") {
    query.format = RecordingFormat::flac;
  } else if (format == "opus") {
    query.format = RecordingFormat::opus;
  } else if (format != "wav") {
    return wrong("format", "wav, flac or opus");
  }
  return query;
}

std::optional<ByteRange> read_range(std::string_view header, std::uint64_t size) {
  const ByteRange whole{0, size, false};
  if (!header.starts_with("bytes=")) return whole;
  const std::string_view asked = header.substr(6);
  const std::size_t dash = asked.find('-');
  if (dash == std::string_view::npos || asked.find(',') != std::string_view::npos) return whole;
  const std::string_view from = asked.substr(0, dash);
  const std::string_view to = asked.substr(dash + 1);
  const auto first = whole_number<std::int64_t>(from);
  const auto last = whole_number<std::int64_t>(to);
  if (from.empty()) {  // the last bytes
    if (!last) return whole;
    const auto count = std::min(static_cast<std::uint64_t>(*last), size);
    if (count == 0) return std::nullopt;
    return ByteRange{size - count, count, true};
  }
  if (!first || (!to.empty() && (!last || *last < *first))) return whole;
  const auto begin = static_cast<std::uint64_t>(*first);
  if (begin >= size) return std::nullopt;
  const std::uint64_t end = last ? std::min(static_cast<std::uint64_t>(*last), size - 1) : size - 1;
  return ByteRange{begin, end - begin + 1, true};
}

}  // namespace verbatim::requests
