// The names of spans, events and attributes, in one table.
//
// Experimental: the names with gen_ai are those of OpenTelemetry's conventions for generative AI,
// which are in development, and of their proposals for live voice. They follow the conventions when
// these change. The names with verbatim stay. docs/tracing.md lists all of them.
#pragma once

#include <string_view>

namespace verbatim::traces::names {

using Name = std::string_view;

// ---- Spans ----
inline constexpr Name session_open = "verbatim.session.open";
inline constexpr Name session_close = "verbatim.session.close";
inline constexpr Name response = "generate_live_content";
inline constexpr Name user_input = "user_input";
inline constexpr Name upstream_dial = "verbatim.upstream.dial";
inline constexpr Name upstream_restore = "verbatim.upstream.restore";
inline constexpr Name upstream_rotate = "verbatim.upstream.rotate";
inline constexpr Name client_resume = "verbatim.client.resume";
inline constexpr Name journal = "verbatim.journal";
inline constexpr Name webhook_delivery = "verbatim.webhook.delivery";
inline constexpr Name recovery = "verbatim.recovery";

// ---- Events ----
inline constexpr Name session_started = "gen_ai.client.live_session.started";
inline constexpr Name session_ended = "gen_ai.client.live_session.ended";
inline constexpr Name session_recovered = "verbatim.session.recovered";

// ---- Attributes of the conventions ----
inline constexpr Name conversation_id = "gen_ai.conversation.id";
inline constexpr Name operation = "gen_ai.operation.name";
inline constexpr Name provider = "gen_ai.provider.name";
inline constexpr Name request_model = "gen_ai.request.model";
inline constexpr Name response_id = "gen_ai.response.id";
inline constexpr Name input_tokens = "gen_ai.usage.input_tokens";
inline constexpr Name output_tokens = "gen_ai.usage.output_tokens";
inline constexpr Name input_audio_tokens = "gen_ai.usage.audio.input_tokens";
inline constexpr Name output_audio_tokens = "gen_ai.usage.audio.output_tokens";
inline constexpr Name cached_tokens = "gen_ai.usage.cache_read.input_tokens";
inline constexpr Name error_type = "error.type";
inline constexpr Name http_status = "http.response.status_code";
inline constexpr Name server_address = "server.address";
inline constexpr Name server_port = "server.port";
inline constexpr Name service_name = "service.name";
inline constexpr Name service_version = "service.version";
inline constexpr Name service_instance = "service.instance.id";

// ---- Attributes of our own ----
inline constexpr Name attempt = "verbatim.attempt";
inline constexpr Name item_id = "verbatim.item_id";
inline constexpr Name item_ids = "verbatim.item_ids";
inline constexpr Name end_reason = "verbatim.end_reason";
inline constexpr Name status_reason = "verbatim.status_reason";
inline constexpr Name first_audio_ms = "verbatim.first_audio_ms";
inline constexpr Name heard_ms = "verbatim.heard_ms";
inline constexpr Name out_of_band = "verbatim.out_of_band";
inline constexpr Name transcription = "verbatim.transcription";
inline constexpr Name transcript_after_ms = "verbatim.transcript_after_ms";
inline constexpr Name speech_ms = "verbatim.speech_ms";
inline constexpr Name outcome = "verbatim.outcome";
inline constexpr Name purpose = "verbatim.purpose";
inline constexpr Name tries = "verbatim.tries";
inline constexpr Name taken_up = "verbatim.taken_up";
inline constexpr Name close_reason = "verbatim.close_reason";
inline constexpr Name complete = "verbatim.complete";
inline constexpr Name turns = "verbatim.turns";
inline constexpr Name gaps = "verbatim.gaps";
inline constexpr Name wait_ms = "verbatim.wait_ms";
inline constexpr Name rows = "verbatim.rows";
inline constexpr Name webhook = "verbatim.webhook";
inline constexpr Name event_type = "verbatim.event_type";
inline constexpr Name clean = "verbatim.clean";
inline constexpr Name sessions = "verbatim.sessions";
inline constexpr Name suspended = "verbatim.suspended";
inline constexpr Name recovering = "verbatim.recovering";
inline constexpr Name events = "verbatim.events";
inline constexpr Name unreadable_rows = "verbatim.unreadable_rows";

}  // namespace verbatim::traces::names
