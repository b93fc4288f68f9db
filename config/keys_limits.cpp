// Declares the settings of limits and client permissions.
#include "base/json/outline_limits.hpp"
#include "config/declare.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

std::vector<Key> make_limit_keys() {
  constexpr std::int64_t most = 1'000'000'000'000;
  return {
      key("limits.audio_seconds", &S::limits, &Limits::audio_seconds, 0,
          number<std::size_t>(0, 1'000'000'000),
          "Seconds of audio of one conversation, both directions together, counted by bytes.",
          live),
      key("limits.tokens", &S::limits, &Limits::tokens, 0, number<std::size_t>(0, most),
          "Tokens of one conversation, as the provider counts them at the end of each response "
          "and transcription. The provider also bills the response that exceeds the limit.",
          live),
      key("limits.user_audio_seconds", &S::limits, &Limits::user_audio_seconds, 0,
          number<std::size_t>(0, 1'000'000'000),
          "Seconds of audio of all conversations that one user begins on one day (UTC), running "
          "ones included. Beyond it the user's conversations end, and new ones get 429 until "
          "midnight.",
          live),
      key("limits.user_tokens", &S::limits, &Limits::user_tokens, 0, number<std::size_t>(0, most),
          "Tokens of the same conversations, with the same effect.", live),
      key("limits.warn_percent", &S::limits, &Limits::warn_percent, 80, number<int>(1, 100),
          "Percentage of these four limits at which a client with extension events is warned "
          "(verbatim.ending). 100: no warning.",
          live),
      key("limits.sessions_per_user", &S::limits, &Limits::sessions_per_user, 20,
          number<std::size_t>(0, 1'000'000),
          "Conversations of one user at once. One more gets 429 and Retry-After. The user is the "
          "one that a client token names. Back-end keys and tokens that name no user are not "
          "counted.",
          live),
      key("limits.connects_per_minute", &S::limits, &Limits::connects_per_minute, 0,
          number<std::size_t>(0, 1'000'000),
          "Requests of one address to open a conversation, in a minute, admitted or not (an IPv6 "
          "/64 network counts as one address). More get 429 and Retry-After. Behind a proxy all "
          "clients have the proxy's address, unless server.trusted_proxies names the proxy.",
          live),
      key("limits.journal_bytes_per_second", &S::limits, &Limits::journal_bytes_per_second, 4 * MiB,
          bytes(0, 1024 * GiB),
          "Bytes that the conversations of one user may journal in a second, together. The user "
          "is the one that a client token names; otherwise each conversation counts by itself. "
          "Beyond it the relay reads the clients a little later, so that other users do not "
          "wait; no message is refused or lost. Text is small and audio is not journaled: only "
          "floods and large images in quick succession come near.",
          live),
      key("limits.journal_bytes_per_minute", &S::limits, &Limits::journal_bytes_per_minute,
          128 * MiB, bytes(0, 1024 * GiB),
          "Bytes that the conversations of one user may journal in a minute, together, also "
          "those that have ended in it. Beyond it each of the user's conversations ends when it "
          "next journals, and new ones get 429 until the minute is over. Text is small and "
          "audio is not journaled: only floods and large images come near.",
          live),
      key("limits.all_journal_bytes_per_minute", &S::limits, &Limits::all_journal_bytes_per_minute,
          GiB, bytes(0, 1024 * GiB),
          "Bytes that all conversations together may journal in a minute. Beyond it the relay "
          "ends one conversation, so that the others continue: the largest one of the user who "
          "has journaled most.",
          live),
      key("policy.client_events", &S::policy, &Policy::client_events, {}, event_types(),
          "The protocol's client events that are passed on. Empty: all of them.", live),
      key("policy.locked", &S::policy, &Policy::locked, {},
          fields("a list of fields like \"instructions\" or \"audio.output.voice\", or bound, or "
                 "all"),
          "Fields of the session that a client cannot change, by session.update or for one "
          "response. `bound`: all that its token sets; `all`: every field. A client that sends "
          "the field's present value is not refused. Empty: none, since public SDKs send their "
          "own configuration as soon as they are connected. A lock fails closed: a name that "
          "could be taken for a locked field is refused in every place where the protocol does "
          "not have it, at any depth. Members of a later protocol pass.",
          live),
      key("policy.hide", &S::policy, &Policy::hide, {},
          fields("a list of fields like \"instructions\" or \"tools\""),
          "Fields that are removed before a client sees session.created and session.updated, and "
          "responses that repeat them (response.created, response.done).",
          live),
      key("policy.values_max", &S::policy, &Policy::values_max, OutlineLimits{}.values_max,
          number<std::size_t>(100, 10'000'000),
          "If anything is locked: the most values (members and elements, at all depths together) "
          "that a client event may have. It keeps the check of a message to a few milliseconds. A "
          "session with 128 tools has some 10000.",
          live),
      key("policy.depth_max", &S::policy, &Policy::depth_max, OutlineLimits{}.depth_max,
          number<std::size_t>(8, 128),
          "If anything is locked: how deeply objects and arrays of a client event may be nested. "
          "A tool's schema needs three levels for each of its own.",
          live),
      key("policy.templates", &S::policy, &Policy::templates, {}, instruction_templates(),
          "Instructions in files of the relay, with placeholders {{name}} for values that a "
          "back end gives with a token. Each value is checked, and inserted between marked "
          "borders. The files are read at start and at a reload. A variable: { name = "
          "\"...\", type = \"text\", length = 200, pattern = \"[A-Za-z ]+\" }, { name = \"...\", "
          "type = \"integer\", min = 1, max = 5 } or { name = \"...\", type = \"choice\", values "
          "= [\"...\", \"...\"] }.",
          live),
  };
}

}  // namespace verbatim::config
