// The whole configuration, as plain values with their defaults, and how it is read: a TOML file,
// overridden by the environment (VERBATIM_SECTION_KEY), overridden by --set section.key=value.
// The documented example is config/verbatim.toml; a test holds it against these defaults.
//
// Read once at start; only app.cpp sees all of it, each part is handed its own section.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/secret.hpp"
#include "base/url.hpp"
#include "config/network.hpp"
#include "config/pattern.hpp"

namespace verbatim::config {

using std::chrono::milliseconds;

struct ApiKey {
  std::string name;    ///< shown in logs and as the user of sessions opened with it
  std::string sha256;  ///< 64 lower-case hex digits
};

/// What SIGTERM means for conversations: they end, or the next process carries them on.
enum class Restart { end, handover };

struct Server {
  Endpoint listen{"127.0.0.1", 8443};
  std::filesystem::path data_dir = "data";
  std::vector<std::string> allowed_origins;  ///< exact origins; empty: only the server's own
  std::string
      public_url;  ///< as clients write it, without a slash at its end; empty: as it listens
  std::vector<Network> trusted_proxies;  ///< whose word about a client's address is taken
  milliseconds shutdown_grace{8'000};
  Restart restart = Restart::end;
  bool console = true;  ///< serve the console at /
  int threads = 0;      ///< 0: one per core
  std::size_t connections_max = 4096;
  std::size_t connections_per_address = 0;  ///< 0: a quarter of connections_max
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t body_bytes_max = 4 * 1024 * 1024;
  std::size_t bodies_bytes_max = 64 * 1024 * 1024;    ///< of all requests together
  std::size_t answers_bytes_max = 128 * 1024 * 1024;  ///< of all answers that wait to be read
  milliseconds handshake_timeout{5'000};              ///< TLS handshake, and each request's header
  milliseconds request_timeout{30'000};               ///< one request's body and answer
  milliseconds keep_alive_timeout{75'000};
  std::size_t large_message_bytes = 256 * 1024 * 1024;  ///< of all large messages together
  milliseconds large_message_timeout{30'000};           ///< of each MiB of one
  bool core_dumps = false;  ///< may the process be dumped and traced, its secrets with it
};

struct Tls {
  bool enabled = true;
  std::filesystem::path cert_file;  ///< both empty: a self-signed one for localhost is made
  std::filesystem::path key_file;
  milliseconds hsts_max_age{365LL * 24 * 3600 * 1000};  ///< 0: browsers are not told
};

struct Auth {
  std::vector<ApiKey> api_keys;
  Secret token_secret;          ///< from token_secret_file; empty: made once in data_dir
  Secret internal_service_key;  ///< from internal_service_key_file
  milliseconds token_ttl{600'000};
  milliseconds token_ttl_max{7'200'000};
  bool development = true;  ///< on a loopback address, admit without a token
};

enum class UpstreamAuth { bearer, api_key_header, basic };

struct Upstream {
  std::string url;  ///< ws/wss; empty: OpenAI if there is a key, else the built-in simulator
  Secret api_key;   ///< from api_key_file, VERBATIM_UPSTREAM_API_KEY or OPENAI_API_KEY
  UpstreamAuth auth = UpstreamAuth::bearer;  ///< api_key_header: Azure's `api-key`
  std::string organization;
  std::string project;
  std::string model = "gpt-realtime";
  std::string model_parameter = "model";  ///< Azure preview endpoints want `deployment`
  std::filesystem::path ca_file;          ///< empty: the system's
  std::string proxy;                      ///< http://[user:password@]host:port
  milliseconds connect_timeout{10'000};   ///< resolve, connect, TLS, upgrade
  milliseconds created_timeout{10'000};   ///< from the upgrade to session.created
  std::size_t message_bytes_max = 80 * 1024 * 1024;
  std::size_t reconnect_attempts_max = 5;  ///< one after another; 0: what is lost ends
  milliseconds reconnect_pause_min{200};   ///< before the first; doubled, and spread
  milliseconds reconnect_pause_max{5'000};
  milliseconds rotate_after{3'300'000};  ///< 0: never
};

struct Session {
  milliseconds resume_window{30'000};
  std::size_t resume_buffer_bytes_max = 512 * 1024;  ///< of messages, kept for who comes back
  std::size_t open_answers_bytes_max = 1024 * 1024;  ///< of answers under way, to end them
  std::size_t items_in_memory = 16;                  ///< of a conversation; 0: all
  std::size_t item_bytes_max = 24 * 1024 * 1024;     ///< of an item's JSON, to be given again
  milliseconds idle_timeout{
      600'000};  ///< without speech, text or an answer; microphone frames do not count
  milliseconds max_duration{3'600'000};
  milliseconds ending_notice{60'000};  ///< how long before max_duration the client is told
  milliseconds ping_interval{
      20'000};  ///< silence after which a peer is pinged; two of them and it is lost
  milliseconds close_timeout{5'000};  ///< how long a peer may take over its part of a close
  std::size_t sessions_max = 1000;
  std::size_t client_message_bytes_max = 24 * 1024 * 1024;
  std::size_t client_queue_bytes_max = 4 * 1024 * 1024;    ///< waiting for the client
  std::size_t upstream_queue_bytes_max = 4 * 1024 * 1024;  ///< waiting for the provider
  milliseconds slow_client_timeout{
      30'000};  ///< a full client queue that does not move for this long
  milliseconds transcription_grace{2'000};  ///< client gone: wait for speech being transcribed
  bool input_transcription = true;
  std::string transcription_model = "gpt-4o-mini-transcribe";
  std::vector<std::string>
      extra_client_events;  ///< event types to pass on beside the protocol's own
};

/// What a conversation, a user and an address may use. 0: no limit.
struct Limits {
  std::size_t audio_seconds = 0;       ///< of one session, both directions together
  std::size_t tokens = 0;              ///< of one session
  std::size_t user_audio_seconds = 0;  ///< of all that a user's sessions begin on one day (UTC)
  std::size_t user_tokens = 0;
  int warn_percent = 80;                ///< when a client that listens is told; 100: never
  std::size_t sessions_per_user = 20;   ///< at once, by client tokens
  std::size_t connects_per_minute = 0;  ///< of one address
  std::size_t journal_bytes_per_second = 4 * 1024 * 1024;    ///< of one user; beyond it they wait
  std::size_t journal_bytes_per_minute = 128 * 1024 * 1024;  ///< of one user; beyond it they end
  std::size_t all_journal_bytes_per_minute = 1024 * 1024 * 1024;  ///< of all together
};

/// A value that may be put into a template.
struct TemplateVariable {
  enum class Type { text, integer, choice };
  std::string name;
  Type type = Type::text;
  std::size_t length = 200;  ///< of a text, in characters
  Pattern pattern;           ///< of a text: what all of it must match
  std::int64_t min = 0;      ///< of an integer
  std::int64_t max = 1'000'000'000;
  std::vector<std::string> values;  ///< of a choice
};

/// Instructions that stand on the server, with places for values: {{name}}.
struct InstructionTemplate {
  std::string name;
  std::filesystem::path file;
  std::string text;  ///< of the file
  std::vector<TemplateVariable> variables;
};

/// What clients may do, unless their token says otherwise.
struct Policy {
  std::vector<std::string> client_events;  ///< empty: all of the protocol's
  std::vector<std::string> locked;         ///< fields of the session, `bound` or `all`
  std::vector<std::string> hide;           ///< fields of the session
  std::size_t values_max = 50'000;         ///< of a message that is held against `locked`
  std::size_t depth_max = 64;
  std::vector<InstructionTemplate> templates;
};

enum class Durability { power, process };

struct Journal {
  Durability durability = Durability::power;
  std::size_t queue_bytes_max = 64 * 1024 * 1024;
  std::size_t batch_rows_max = 1000;
  std::size_t batch_bytes_max = 1024 * 1024;
  milliseconds busy_timeout{2'000};
  milliseconds full_retry{2'000};
  milliseconds slow_commit{1'000};
  milliseconds stuck_commit{10'000};
  std::size_t wal_checkpoint_bytes = 16 * 1024 * 1024;
  std::size_t log_bytes_max = 256 * 1024 * 1024;  ///< beyond it a warning; beyond twice it, 503
  milliseconds read_max{10'000};  ///< of a read of ours, once the log is beyond that
};

struct Storage {
  std::filesystem::path fallback_dir;
  std::size_t free_space_warn = 1024 * 1024 * 1024;
  std::size_t free_space_min = 256 * 1024 * 1024;  ///< below it nobody new is admitted
  std::size_t ballast = 64 * 1024 * 1024;          ///< given up first when the disk is full
  milliseconds retention{0};                       ///< 0: for ever
};

/// Copies that other writers post.
struct Posts {
  std::size_t per_minute = 600;    ///< to one session; 0: no limit
  std::size_t turns_max = 10'000;  ///< of one post
  std::size_t turn_bytes_max = 64 * 1024;
  std::size_t copies_max = 10'000;  ///< of one attempt
  std::size_t attempt_turns_max = 100'000;
  std::size_t attempt_bytes_max = 64 * 1024 * 1024;
  std::size_t client_turns_max = 10'000;  ///< of all posts with one client token
  std::size_t client_bytes_max = 8 * 1024 * 1024;
  std::size_t merged_bytes_max = 32 * 1024 * 1024;
};

/// Those who watch sessions while they happen.
struct Events {
  std::size_t watchers_max = 1000;
  std::size_t watchers_per_session_max = 32;
  milliseconds interval{100};          ///< between two looks at the journal
  milliseconds heartbeat{15'000};      ///< when nothing else is sent
  milliseconds write_timeout{30'000};  ///< of a watcher that takes nothing
  milliseconds connection_max{3'600'000};
};

struct Capture {
  std::filesystem::path dir;  ///< empty: off
};

struct Metrics {
  Endpoint listen;  ///< empty host: on the main listener only
};

struct WebhookTarget {
  std::string name;  ///< in logs, metrics and the outbox: never the URL, which may hold a secret
  std::string url;
  Secret secret;
  std::vector<std::string> events;  ///< empty: all but turn.completed
  bool allow_private = false;       ///< addresses of this machine and of private networks, and http
};

struct Webhook {
  std::vector<WebhookTarget> targets;
  milliseconds timeout{10'000};   ///< of one call, everything included
  milliseconds settle{2'000};     ///< session.ended waits for the copies of other writers
  milliseconds retry_min{1'000};  ///< doubled at each try
  milliseconds retry_max{600'000};
  std::size_t tries_max = 16;                ///< then it is a dead letter
  std::size_t body_bytes_max = 1024 * 1024;  ///< beyond it the transcript is left out
};

struct Simulator {
  std::filesystem::path recordings_dir;  ///< for the built-in provider
  std::string profile = "openai";        ///< whose ways it has
};

struct Testing {
  bool forward_before_commit = false;  ///< unsafe: breaks P1
};

struct Settings {
  Server server;
  Tls tls;
  Auth auth;
  Upstream upstream;
  Session session;
  Limits limits;
  Policy policy;
  Journal journal;
  Storage storage;
  Posts posts;
  Events events;
  Capture capture;
  Metrics metrics;
  LogOptions log;
  Webhook webhook;
  Simulator simulator;
  Testing testing;
  /// What is accepted but not as it should be, such as a secret's file that others may read. Names
  /// the key, never the file or what is in it.
  std::vector<std::string> warnings;
};

/// What is wrong, where (file, line, key, environment variable or --set), what is accepted.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Sources {
  std::filesystem::path file;            ///< empty: none
  std::vector<std::string> assignments;  ///< "section.key=value", from --set
  /// Environment, as NAME=VALUE; given so that tests need not change the process.
  std::vector<std::string> environment;
};

/// Throws ConfigError.
Settings load(const Sources& sources);

/// The effective configuration as TOML or JSON, secrets masked.
std::string to_toml(const Settings&);
std::string to_json(const Settings&);

}  // namespace verbatim::config
