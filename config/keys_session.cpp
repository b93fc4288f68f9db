// Declares the settings of conversations.
#include "config/declare.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

std::vector<Key> make_session_keys() {
  return {
      key("session.resume_window", &S::session, &Session::resume_window, 30s, duration(0s, 24h),
          "How long a conversation waits for a client that was lost. 0s: it ends at once, and a "
          "newer connection of the same session ends the one before. A changed value is for "
          "conversations that begin later. Conversations that an earlier process has left use the "
          "value with which this process started.",
          live),
      key("session.resume_buffer_bytes_max", &S::session, &Session::resume_buffer_bytes_max,
          512 * KiB, bytes(4 * KiB, GiB),
          "Messages kept for a client that reconnects and says how many it has (`after=N`). "
          "These are the messages that may not have arrived (at most a quarter of this), and "
          "those that came in the meantime. A client that missed more gets the conversation's "
          "items instead. A second of speech has about 64 KiB.",
          live),
      key("session.open_answers_bytes_max", &S::session, &Session::open_answers_bytes_max, MiB,
          bytes(4 * KiB, 64 * MiB),
          "Memory for a conversation's open answers: their objects from the provider, and the "
          "arguments of function calls so far. If the connection to the provider is lost, the "
          "relay ends the answer for the client from this, without what did not fit. An answer "
          "takes about 1 KiB, a call as much as its arguments.",
          live),
      key("session.items_in_memory", &S::session, &Session::items_in_memory, 16,
          number<std::size_t>(0, 1'000'000),
          "How many of a conversation's items (turns, tool calls) stay in memory, about 1 KiB "
          "each; fewer if their text averages more than 64 KiB. 0: all. Older ones go to an "
          "unlinked temporary file in server.data_dir, which is gone with the conversation, so "
          "that memory does not grow with its length. They are read when a client or a new "
          "connection to the provider needs the whole conversation, when an event names them, "
          "and at the end.",
          live),
      key("session.item_bytes_max", &S::session, &Session::item_bytes_max, 24 * MiB,
          bytes(KiB, 64 * MiB),
          "The largest item that is sent again to a new connection to the provider: its JSON as "
          "it came, with images, without audio. A larger one is left out there, and the client "
          "is notified (verbatim.upstream). It bounds a message to the provider, and the bytes "
          "that a client can make the relay write. It does not bound memory, since items are "
          "kept on disk (the journal, and the file of items_in_memory). The default equals "
          "client_message_bytes_max, since one event of a client can hold an item.",
          live),
      key("session.idle_timeout", &S::session, &Session::idle_timeout, 10min, duration(100ms, 24h),
          "A conversation ends after this long without speech, text or an answer. Microphone "
          "frames alone do not count: an open microphone in an empty room would be billed for "
          "ever.",
          live),
      key("session.max_duration", &S::session, &Session::max_duration, 1h, duration(100ms, 7 * day),
          "The longest conversation, over all connections to the provider.", live),
      key("session.ending_notice", &S::session, &Session::ending_notice, 1min, duration(0ms, 1h),
          "A client with extension events (verbatim.*) is warned this long before max_duration "
          "or idle_timeout (verbatim.ending). If idle_timeout is short, the warning comes after "
          "half of it. 0s: no warning.",
          live),
      key("session.ping_interval", &S::session, &Session::ping_interval, 20s, duration(100ms, 1h),
          "Keepalive: a peer that is silent for this long is pinged. After two pings without an "
          "answer it is lost.",
          live),
      key("session.close_timeout", &S::session, &Session::close_timeout, 5s, duration(100ms, 1min),
          "Time for a peer to answer a close.", live),
      key("session.end_wait", &S::session, &Session::end_wait, 5s, duration(100ms, 1min),
          "How long POST /v1/sessions/{id}/end waits until the disk has confirmed the session's "
          "final record, and DELETE until no file has text of it. After that they answer 202; the "
          "record is written once the disk works, and the text is gone once nothing else reads "
          "the files.",
          live),
      key("session.sessions_max", &S::session, &Session::sessions_max, 1'000,
          number<std::size_t>(1, 1'000'000),
          "Conversations at once. One more gets 503 and Retry-After.", live),
      key("session.client_message_bytes_max", &S::session, &Session::client_message_bytes_max,
          24 * MiB, bytes(KiB, 64 * MiB),
          "One event of a client. The provider takes 15 MiB of audio in one append, which are 20 "
          "MiB of base64, and photographs come as data URLs. A longer event closes the "
          "connection with 1009, and the conversation waits for its client as after any loss.",
          live),
      key("session.client_queue_bytes_max", &S::session, &Session::client_queue_bytes_max, 4 * MiB,
          bytes(4 * KiB, GiB),
          "Messages that wait for a client. If they reach this, the provider is no longer read.",
          live),
      key("session.upstream_queue_bytes_max", &S::session, &Session::upstream_queue_bytes_max,
          4 * MiB, bytes(4 * KiB, GiB),
          "Messages that wait for the provider. If they reach this, the client is no longer read.",
          live),
      key("session.slow_client_timeout", &S::session, &Session::slow_client_timeout, 30s,
          duration(100ms, 1h),
          "A client whose queue stays full for this long without progress is closed as a slow "
          "client.",
          live),
      key("session.transcription_grace", &S::session, &Session::transcription_grace, 2s,
          duration(0ms, 1min),
          "How long to wait, after a client leaves, for the transcription of what it said last.",
          live),
      key("session.input_transcription", &S::session, &Session::input_transcription, true,
          boolean(),
          "Switch on transcription of the user's speech if the client does not. Without it the "
          "transcript lacks the user's words.",
          live),
      key("session.transcription_model", &S::session, &Session::transcription_model,
          "gpt-4o-mini-transcribe", name("a model's name"), "The model for that transcription.",
          live),
      key("session.extra_client_events", &S::session, &Session::extra_client_events, {},
          event_types(),
          "Client events to pass on besides those of the protocol. All others are refused.", live),
  };
}

}  // namespace verbatim::config
