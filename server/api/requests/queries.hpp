// Readers of query strings.
//
// Pure; any thread. Untrusted input: a wrong one is refused with the response to send.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/net/result.hpp"
#include "session/transcript/render/render.hpp"
#include "storage/store/delivery_store.hpp"
#include "storage/store/session_store.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::requests {

/// Whether the text can be searched for.
bool is_question(std::string_view text);
inline constexpr const char* question_form = "1 to 32 words of UTF-8, at most 512 bytes";

net::Result<store::SessionFilter> read_session_filter(const net::HttpRequest& request);

/// The members of each session that `fields` asks for; empty: all. 400 for one that is not in
/// `known`.
net::Result<std::vector<std::string>> read_fields(const net::HttpRequest& request,
                                                  std::span<const std::string_view> known);

/// The query of GET /v1/client_secrets.
net::Result<store::TokenFilter> read_token_filter(const net::HttpRequest& request);
/// The query of GET /v1/webhooks/deliveries.
net::Result<store::DeliveryFilter> read_delivery_filter(const net::HttpRequest& request);

struct TranscriptQuery {
  std::optional<int> attempt;  ///< none: the latest
  bool all_attempts = false;
  transcript::Format format = transcript::Format::json;
  std::chrono::seconds wait{0};  ///< for the attempt to become final
};
net::Result<TranscriptQuery> read_transcript_query(const net::HttpRequest& request);

enum class RecordingFormat { wav, flac, opus };

struct RecordingQuery {
  std::optional<int> attempt;                   ///< none: the latest
  std::optional<int> turn;                      ///< its ordinal; none: the whole attempt
  std::optional<transcript::AudioTrack> track;  ///< none: both
  bool unheard = false;                         ///< with what the client did not hear
  RecordingFormat format = RecordingFormat::wav;
};
net::Result<RecordingQuery> read_recording_query(const net::HttpRequest& request);

/// A range of bytes that a request asks for.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool partial = false;  ///< false: the whole
};
/// The header Range for a body of `size` bytes; nullopt: no byte of it is there. Several ranges, or
/// a header that is not understood, give the whole (RFC 9110, 14.2).
std::optional<ByteRange> read_range(std::string_view header, std::uint64_t size);

/// `attempt` alone; none: the latest.
net::Result<std::optional<int>> read_attempt(const net::HttpRequest& request);

/// Milliseconds, Unix seconds, 2026-11-23 or 2026-11-23T21:50:51.123Z. Other zones are refused:
/// guessing would answer with the wrong sessions.
std::optional<TimeMs> parse_time(std::string_view text);

}  // namespace verbatim::requests
