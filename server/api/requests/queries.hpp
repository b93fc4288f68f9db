// What the query strings of GET /v1/sessions and .../transcript ask for.
//
// Pure; any thread. Untrusted input: what is wrong with it comes back as the answer to give.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <variant>

#include "server/net/http_message.hpp"
#include "session/transcript/render/render.hpp"
#include "storage/store/client_tokens.hpp"
#include "storage/store/transcript_store.hpp"

namespace verbatim::server {

std::variant<storage::SessionFilter, HttpResponse> read_session_filter(const HttpRequest& request);

/// Of GET /v1/client_secrets.
std::variant<storage::TokenFilter, HttpResponse> read_token_filter(const HttpRequest& request);

struct TranscriptQuery {
  std::optional<int> attempt;  ///< none: the latest
  bool all_attempts = false;
  session::Format format = session::Format::json;
  std::chrono::seconds wait{0};  ///< for the attempt to become final
};
std::variant<TranscriptQuery, HttpResponse> read_transcript_query(const HttpRequest& request);

/// `attempt` alone; none: the latest.
std::variant<std::optional<int>, HttpResponse> read_attempt(const HttpRequest& request);

/// Milliseconds, Unix seconds, 2026-11-23 or 2026-11-23T21:50:51.123Z. Other zones are refused:
/// guessing would answer with the wrong sessions.
std::optional<TimeMs> parse_time(std::string_view text);

}  // namespace verbatim::server
