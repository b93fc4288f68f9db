// The whole configuration as plain values. load() reads a TOML file; the environment
// (VERBATIM_SECTION_KEY) overrides the file, and --set section.key=value overrides both.
// config/keys_*.cpp declare each setting: name, help, default, bounds. config/verbatim.toml is made
// from these declarations.
//
// Read at start and on SIGHUP. Only app.cpp sees all of it; each other part gets its own section.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/reloadable.hpp"
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

/// On SIGTERM, conversations end or are handed over to the next process.
enum class Restart { end, handover };

struct Server {
  Endpoint listen;
  std::filesystem::path data_dir;
  std::vector<std::string> allowed_origins;  ///< exact origins; empty: only the server's own
  std::string
      public_url;  ///< as clients write it, without a slash at the end; empty: made from `listen`
  std::vector<Network> trusted_proxies;  ///< their forwarding headers are trusted
  milliseconds shutdown_grace{};
  Restart restart{};
  bool console = false;  ///< serve the console at /
  int threads = 0;       ///< 0: one per core
  std::size_t connections_max = 0;
  std::size_t connections_per_address = 0;  ///< 0: a quarter of connections_max
  std::size_t header_bytes_max = 0;
  std::size_t body_bytes_max = 0;
  std::size_t bodies_bytes_max = 0;   ///< total of all requests
  std::size_t answers_bytes_max = 0;  ///< total of all unread answers
  milliseconds handshake_timeout{};   ///< TLS handshake, and each request's header
  milliseconds request_timeout{};     ///< one request's body and answer
  milliseconds keep_alive_timeout{};
  std::size_t large_message_bytes = 0;   ///< total of all large messages
  milliseconds large_message_timeout{};  ///< for each MiB of a message
  bool core_dumps = false;               ///< allow dumps and tracing, which can expose secrets
};

struct Tls {
  bool enabled = false;
  std::filesystem::path cert_file;  ///< both empty: self-signed for localhost
  std::filesystem::path key_file;
  milliseconds hsts_max_age{};  ///< 0: no HSTS header
};

struct Auth {
  std::vector<ApiKey> api_keys;
  Secret token_secret;          ///< from token_secret_file; empty: made once in data_dir
  Secret internal_service_key;  ///< from internal_service_key_file
  milliseconds token_ttl{};
  milliseconds token_ttl_max{};
  bool development = false;  ///< on a loopback address, admit without a token
};

enum class UpstreamAuth { bearer, api_key_header, basic };

struct Upstream {
  std::string url;      ///< ws/wss; empty: OpenAI if there is a key, else the built-in simulator
  Secret api_key;       ///< from api_key_file, VERBATIM_UPSTREAM_API_KEY or OPENAI_API_KEY
  UpstreamAuth auth{};  ///< api_key_header: Azure's `api-key`
  std::string organization;
  std::string project;
  std::string model;
  std::string model_parameter;     ///< Azure preview endpoints need `deployment`
  std::filesystem::path ca_file;   ///< empty: the system's
  std::string proxy;               ///< http://[user:password@]host:port
  milliseconds connect_timeout{};  ///< resolve, connect, TLS, upgrade
  milliseconds created_timeout{};  ///< from the upgrade to session.created
  std::size_t message_bytes_max = 0;
  std::size_t reconnect_attempts_max = 0;  ///< in a row; 0: a loss ends the session
  milliseconds reconnect_pause_min{};      ///< before the first try; doubled, with jitter
  milliseconds reconnect_pause_max{};
  milliseconds rotate_after{};  ///< 0: never
};

struct Session {
  milliseconds resume_window{};
  std::size_t resume_buffer_bytes_max = 0;  ///< of messages kept for a resume
  std::size_t open_answers_bytes_max = 0;   ///< of unfinished answers
  std::size_t items_in_memory = 0;          ///< per conversation; 0: all
  std::size_t item_bytes_max = 0;           ///< of an item's JSON, for a rebuild
  milliseconds
      idle_timeout{};  ///< without speech, text or an answer; microphone frames do not count
  milliseconds max_duration{};
  milliseconds ending_notice{};  ///< warning time before max_duration
  milliseconds ping_interval{};  ///< silence before a ping; a peer silent for two intervals is lost
  milliseconds close_timeout{};  ///< for the peer to answer a close
  milliseconds end_wait{};       ///< for the final record of a session that an operator ends
  std::size_t sessions_max = 0;
  std::size_t client_message_bytes_max = 0;
  std::size_t client_queue_bytes_max = 0;    ///< waiting for the client
  std::size_t upstream_queue_bytes_max = 0;  ///< waiting for the provider
  milliseconds slow_client_timeout{};  ///< how long a full client queue may stay without progress
  milliseconds transcription_grace{};  ///< after the client left, for open transcriptions
  bool input_transcription = false;
  std::string transcription_model;
  std::vector<std::string>
      extra_client_events;  ///< event types to relay besides the protocol's own
};

/// Limits of a conversation, a user and an address. 0: no limit.
struct Limits {
  std::size_t audio_seconds = 0;       ///< per session, both directions added
  std::size_t tokens = 0;              ///< per session
  std::size_t user_audio_seconds = 0;  ///< per user, in sessions begun on one day (UTC)
  std::size_t user_tokens = 0;
  int warn_percent = 0;                 ///< share of a limit that triggers a warning; 100: never
  std::size_t sessions_per_user = 0;    ///< concurrent, by client tokens
  std::size_t connects_per_minute = 0;  ///< per address
  std::size_t journal_bytes_per_second = 0;      ///< per user; above it sessions wait
  std::size_t journal_bytes_per_minute = 0;      ///< per user; above it they end
  std::size_t all_journal_bytes_per_minute = 0;  ///< total of all users
};

/// A variable of a template.
struct TemplateVariable {
  enum class Type { text, integer, choice };
  std::string name;
  Type type = Type::text;
  std::size_t length = 200;  ///< of a text, in characters
  Pattern pattern;           ///< of a text: must match the whole value
  std::int64_t min = 0;      ///< of an integer
  std::int64_t max = 1'000'000'000;
  std::vector<std::string> values;  ///< of a choice
};

/// Instructions from a file of the server, with placeholders for variables: {{name}}.
struct InstructionTemplate {
  std::string name;
  std::filesystem::path file;
  std::string text;  ///< content of the file
  std::vector<TemplateVariable> variables;
};

/// Client permissions; a policy of the token replaces them.
struct Policy {
  std::vector<std::string> client_events;  ///< empty: all of the protocol's
  std::vector<std::string> locked;         ///< fields of the session, `bound` or `all`
  std::vector<std::string> hide;           ///< fields of the session
  std::size_t values_max = 0;              ///< per message that is checked for `locked`
  std::size_t depth_max = 0;
  std::vector<InstructionTemplate> templates;
};

enum class Durability { power, process };

struct Journal {
  Durability durability{};
  std::size_t queue_bytes_max = 0;
  milliseconds commit_interval{};
  std::size_t batch_rows_max = 0;
  std::size_t batch_bytes_max = 0;
  milliseconds busy_timeout{};
  milliseconds full_retry{};
  milliseconds slow_commit{};
  milliseconds stuck_commit{};
  std::size_t wal_checkpoint_bytes = 0;
  std::size_t log_bytes_max = 0;  ///< above it a warning; above twice, 503
  milliseconds read_max{};        ///< longest read by the server itself while the log is larger
};

struct Storage {
  std::filesystem::path fallback_dir;
  std::size_t free_space_warn = 0;
  std::size_t free_space_min = 0;  ///< below it new sessions are refused
  std::size_t ballast = 0;         ///< deleted first when the disk is full
  milliseconds retention{};        ///< 0: for ever
  bool search = false;             ///< keep a full-text index
};

/// Limits of transcript copies that other writers post.
struct Posts {
  std::size_t per_minute = 0;  ///< per session; 0: no limit
  std::size_t turns_max = 0;   ///< per post
  std::size_t turn_bytes_max = 0;
  std::size_t copies_max = 0;  ///< per attempt
  std::size_t attempt_turns_max = 0;
  std::size_t attempt_bytes_max = 0;
  std::size_t client_turns_max = 0;  ///< total of one client token
  std::size_t client_bytes_max = 0;
  std::size_t merged_bytes_max = 0;
};

/// Event streams of live sessions.
struct Events {
  std::size_t watchers_max = 0;
  std::size_t watchers_per_session_max = 0;
  milliseconds interval{};       ///< between two reads of the journal
  milliseconds list_interval{};  ///< between two reads of the list of sessions
  milliseconds heartbeat{};      ///< sent when there is nothing else
  milliseconds write_timeout{};  ///< for a subscriber that reads nothing
  milliseconds connection_max{};
};

/// Attempts are captured from their beginning, or from the moment a back end asks for it.
enum class CaptureStart { always, on_request };

struct Capture {
  std::filesystem::path dir;  ///< empty: off
  CaptureStart start{};
};

/// Which conversations are recorded: none, all, or those whose token says so.
enum class Record { no, yes, token };

/// The form of a recording after the end of its attempt.
enum class RecordingArchive { pcm, flac, opus };
/// When a recording is removed.
enum class DeleteWhen { expired, complete };

struct Recording {
  Record enabled{};
  std::filesystem::path dir;       ///< empty: `recordings` in server.data_dir
  milliseconds retention{};        ///< 0: as long as the session
  std::size_t free_space_min = 0;  ///< below it recording stops
  std::size_t exports_max = 0;     ///< in a compressed format, at once
  RecordingArchive archive{};
  Secret key;  ///< master keys, one a line; empty: archives are not encrypted
  milliseconds archive_retry{};
  DeleteWhen delete_when{};
};

/// Keeps archived recordings in an S3-compatible bucket (server/bucket).
struct Bucket {
  std::string endpoint;  ///< empty: that of AWS in the region
  std::string bucket;    ///< empty: off
  std::string region;
  std::string prefix;  ///< of every object's key
  bool path_style = false;
  Secret access_key;
  Secret secret_key;
  std::filesystem::path ca_file;     ///< empty: the system's authorities
  bool allow_private = false;        ///< also local and private addresses, and http
  std::size_t single_bytes_max = 0;  ///< a larger file is sent in parts
  std::size_t part_bytes = 0;
  milliseconds timeout{};  ///< without a byte
  milliseconds retry_min{};
  milliseconds retry_max{};
  bool delete_local = false;  ///< once the object is verified
  milliseconds local_idle{};  ///< how long a file stays here after it was uploaded or read
};

/// Transcribes recorded speech again if the provider could not (server/repair).
struct Repair {
  std::string url;  ///< of the engine; empty: off
  std::string model;
  Secret key;                ///< empty: none
  std::string fallback_url;  ///< of a second engine; empty: none
  std::string fallback_model;
  Secret fallback_key;
  bool allow_private = false;      ///< also local and private addresses, and http
  milliseconds timeout{};          ///< per call
  std::size_t attempts_max = 0;    ///< tries of an utterance
  milliseconds audio_max{};        ///< sent of one attempt, in all tries
  std::size_t file_bytes_max = 0;  ///< of an utterance as WAV
  milliseconds retry_min{};        ///< doubled after each try
  milliseconds retry_max{};
};

/// Prices of a model's tokens, each for a million of them.
struct ModelPrices {
  std::string model;  ///< its name, or the beginning of it
  double text_input = 0;
  double text_input_cached = 0;
  double text_output = 0;
  double audio_input = 0;
  double audio_input_cached = 0;
  double audio_output = 0;
};

/// For the console's pages; `server.console` serves them.
struct Console {
  std::string currency;
  std::vector<ModelPrices> prices;  ///< the first one that fits a model counts
};

/// Traces for an OpenTelemetry collector.
struct Trace {
  std::string otlp_url;  ///< empty: off
  Secret otlp_headers;   ///< from otlp_headers_file; name=value,name=value
  std::filesystem::path ca_file;
  double sampling = 0;  ///< 0 to 1
  std::string service_name;
  milliseconds journal_slow{};  ///< a wait at least this long gets a span
  std::size_t queue_max = 0;    ///< spans
  std::size_t batch_max = 0;    ///< spans
  milliseconds batch_interval{};
  milliseconds timeout{};
  std::size_t tries_max = 0;
  milliseconds retry_min{};
  milliseconds retry_max{};
  milliseconds shutdown_timeout{};
};

/// The moment at which text is sent on: before (`behind`) or after (`before`) the database has
/// confirmed it.
enum class Ship { behind, before };
/// The behaviour of `Ship::before` while the database cannot be reached.
enum class WhenUnreachable { refuse, go_on };

/// Several relays with one database.
struct Fleet {
  Secret url;                     ///< of the database; empty: this relay is alone
  std::filesystem::path ca_file;  ///< empty: the system's
  std::string peer_url;           ///< https://host:port; empty: other relays cannot reach this one
  milliseconds peer_timeout{};
  Ship ship{};
  bool require_replica = false;
  WhenUnreachable when_unreachable{};
  milliseconds linger{};
  std::size_t batch_events_max = 0;
  std::size_t batch_bytes_max = 0;
  std::size_t batches_in_flight = 0;
  milliseconds connect_timeout{};
  milliseconds silence_max{};  ///< of a connection that should answer
  milliseconds retry_min{};
  milliseconds retry_max{};
  milliseconds keep_shipped{};
  std::size_t backlog_bytes_max = 0;
  std::size_t read_bytes_max = 0;
  milliseconds lease_ttl{};   ///< by the database's clock
  milliseconds dead_after{};  ///< after the end of a lease
};

struct Metrics {
  Endpoint listen;  ///< empty host: on the main listener only
};

struct WebhookTarget {
  std::string name;  ///< in logs, metrics and the outbox: never the URL, which may hold a secret
  std::string url;
  Secret secret;
  std::vector<std::string> events;  ///< empty: all but turn.completed
  bool allow_private = false;       ///< allow local and private addresses, and http
};

struct Webhook {
  std::vector<WebhookTarget> targets;
  milliseconds timeout{};    ///< per call, from name lookup to answer
  milliseconds settle{};     ///< delay of session.ended, for copies of other writers
  milliseconds retry_min{};  ///< doubled after each try
  milliseconds retry_max{};
  milliseconds retry_after_max{};      ///< the longest pause that an answer can ask for
  std::size_t lanes = 0;               ///< sessions that are sent to a target at once
  std::size_t tries_max = 0;           ///< then the message is a dead letter
  std::size_t refused_tries_max = 0;   ///< likewise, counting answers of 4xx
  std::size_t tries_kept = 0;          ///< the latest of each delivery, for the list
  std::size_t answer_bytes_kept = 0;   ///< of each of them
  milliseconds delivered_keep{};       ///< how long a delivered message is listed
  std::size_t delivered_kept_max = 0;  ///< and at most how many
  std::size_t body_bytes_max = 0;      ///< above it the transcript is left out
};

struct Simulator {
  std::filesystem::path recordings_dir;  ///< for the built-in provider
  std::string profile;                   ///< the provider to imitate
};

struct Testing {
  bool forward_before_commit = false;  ///< unsafe: breaks P1
};

struct Settings {
  /// Every setting has its default.
  Settings();

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
  Recording recording;
  Bucket bucket;
  Repair repair;
  Console console;
  Trace trace;
  Fleet fleet;
  Metrics metrics;
  LogOptions log;
  Webhook webhook;
  Simulator simulator;
  Testing testing;
  /// Values that are accepted but unsafe, such as a secret's file that other users can read. A
  /// warning names the key, never the file or its content.
  std::vector<std::string> warnings;
};

/// The settings in force. SIGHUP replaces them; a reader keeps those that it took.
using LiveSettings = Reloadable<const Settings>;

/// Says what is wrong, where (file, line, key, variable or --set), and what is accepted.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Sources {
  std::filesystem::path file;            ///< empty: none
  std::vector<std::string> assignments;  ///< "section.key=value", from --set
  /// The environment as NAME=VALUE. Passed in, so that tests need not change the process.
  std::vector<std::string> environment;
};

/// Throws ConfigError.
Settings load(const Sources& sources);

/// The settings after a reload.
struct Reloaded {
  Settings settings;                      ///< `running`, with each change that needs no restart
  std::vector<std::string> changed;       ///< names of keys that were taken over
  std::vector<std::string> need_restart;  ///< names of changed keys that stay as they were
};
Reloaded reload(const Settings& running, const Settings& fresh);

/// The effective configuration as TOML or JSON, with secrets masked.
std::string to_toml(const Settings&);
std::string to_json(const Settings&);
/// The text of config/verbatim.toml: every setting with its help, what it accepts, and its default.
std::string documentation();

}  // namespace verbatim::config
