// Declares the settings of metrics, logs, webhooks, the simulator and tests.
#include "config/declare.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

std::vector<Key> make_operator_keys() {
  return {
      key("metrics.listen", &S::metrics, &Metrics::listen, {}, endpoint(true),
          "A separate address for /metrics, plain HTTP. Empty: on server.listen."),
      key("log.level", &S::log, &LogOptions::level, LogOptions{}.level,
          choice<LogLevel>({{"debug", LogLevel::debug},
                            {"info", LogLevel::info},
                            {"warn", LogLevel::warn},
                            {"error", LogLevel::error}}),
          "debug adds lines about the simulated provider. No level logs what is said.", live),
      key("log.format", &S::log, &LogOptions::format, LogOptions{}.format,
          choice<LogFormat>({{"text", LogFormat::text}, {"json", LogFormat::json}}),
          "json for machines that collect logs.", live),
      key("log.lines_per_second", &S::log, &LogOptions::lines_per_second,
          LogOptions{}.lines_per_second, number<std::size_t>(0, 1'000'000),
          "Log lines a second of each kind that peers without credentials can cause (refused "
          "upgrades, failed TLS handshakes, bad PROXY headers), so that they cannot fill the "
          "disk. Further lines are counted, and the number is logged a second later; the metrics "
          "count all. 0: no limit."),
      watched(key("webhook.targets", &S::webhook, &Webhook::targets, {}, webhook_targets(),
                  "URLs to call when something has happened to a session: docs/webhooks.md. The "
                  "secret signs the calls (Standard Webhooks). Its file holds it as `whsec_...`. "
                  "While you change it, the file holds both secrets, the new one first. More "
                  "members: `name` (for logs and metrics), `events` (default: all but "
                  "turn.completed) and `allow_private`. Without allow_private, http and addresses "
                  "of this machine or a private network are refused, so that a URL cannot reach "
                  "internal services.",
                  live),
              files_of_targets),
      key("webhook.timeout", &S::webhook, &Webhook::timeout, 10s, duration(100ms, 5min),
          "Time for one call, from the name lookup to the end of the answer.", live),
      key("webhook.settle", &S::webhook, &Webhook::settle, 2s, duration(0s, 10min),
          "How long session.ended waits, since other writers post their copies in the moments "
          "after the end.",
          live),
      key("webhook.retry_min", &S::webhook, &Webhook::retry_min, 1s, duration(10ms, 1h),
          "The pause before the second try. It doubles with each further one. A random factor from "
          "0.5 to 1.5 changes each pause, so that not all calls come at once.",
          live),
      key("webhook.retry_max", &S::webhook, &Webhook::retry_max, 10min, duration(10ms, day),
          "The longest pause, without the random factor.", live),
      key("webhook.retry_after_max", &S::webhook, &Webhook::retry_after_max, 1h, duration(0s, day),
          "An answer's Retry-After can lengthen a pause to this at most, so that a mistake of the "
          "receiver cannot hold a message back for years. 0s: it is not followed.",
          live),
      key("webhook.lanes", &S::webhook, &Webhook::lanes, 16, number<std::size_t>(1, 256),
          "Calls to a target at once, each about another session: the messages of one session "
          "keep their order. A session that waits for its next try does not count.",
          live),
      key("webhook.tries_max", &S::webhook, &Webhook::tries_max, 160, number<std::size_t>(1, 1000),
          "After this many tries (about a day, with the pauses above) a message is a dead letter: "
          "`verbatim webhooks list`, `verbatim webhooks redrive`.",
          live),
      key("webhook.refused_tries_max", &S::webhook, &Webhook::refused_tries_max, 3,
          number<std::size_t>(1, 1000),
          "The same for answers that refuse a message for good: 4xx, but not 408, 425 and 429. "
          "410 ends the tries at once.",
          live),
      key("webhook.tries_kept", &S::webhook, &Webhook::tries_kept, 10, number<std::size_t>(0, 100),
          "How many of the latest tries of each delivery GET /v1/webhooks/deliveries shows.", live),
      key("webhook.answer_bytes_kept", &S::webhook, &Webhook::answer_bytes_kept, KiB, bytes(0, KiB),
          "How much of the answer's body is kept with each of those tries. It may hold secrets of "
          "the receiver; only back-end keys can read it.",
          live),
      key("webhook.delivered_keep", &S::webhook, &Webhook::delivered_keep, 72h,
          duration(0s, 90 * day),
          "How long the record of a message that all targets have received is kept.", live),
      key("webhook.delivered_kept_max", &S::webhook, &Webhook::delivered_kept_max, 50'000,
          number<std::size_t>(0, 10'000'000),
          "Only the newest of such messages keep their record, so that the database stays small.",
          live),
      key("webhook.body_bytes_max", &S::webhook, &Webhook::body_bytes_max, MiB,
          bytes(KiB, 64 * MiB),
          "A call with a longer body is sent without its transcript, and says so.", live),
      key("console.currency", &S::console, &Console::currency, "USD", name("a name like USD"),
          "The currency of console.prices.", live),
      key("console.prices", &S::console, &Console::prices, {}, model_prices(),
          "Prices for a million tokens, from which the console computes the costs of a "
          "conversation. `model` is a name or its beginning, and the first that fits counts. The "
          "other members are text_input, text_input_cached, text_output, audio_input, "
          "audio_input_cached and audio_output; one that is absent is 0. Empty: the console shows "
          "no costs.",
          live),
      key("simulator.recordings_dir", &S::simulator, &Simulator::recordings_dir, {},
          path("a directory, or nothing"),
          "Recorded conversations for the built-in provider. Empty: it plays a scripted one."),
      key("simulator.profile", &S::simulator, &Simulator::profile, "openai",
          choice<std::string>({{"openai", "openai"},
                               {"azure", "azure"},
                               {"xai", "xai"},
                               {"inworld", "inworld"},
                               {"speech-to-speech", "speech-to-speech"},
                               {"vllm-omni", "vllm-omni"}}),
          "The provider that the built-in simulator plays (docs/providers.md)."),
      key("testing.forward_before_commit", &S::testing, &Testing::forward_before_commit, false,
          boolean(),
          "UNSAFE, never for use: relays text before it is stored, so that a crash loses text "
          "that a client has received. With it the tests of write-ahead must fail. Refused "
          "unless server.listen is a loopback address."),
  };
}

}  // namespace verbatim::config
