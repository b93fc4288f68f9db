#include "config/keys.hpp"

#include <utility>

#include "config/formats.hpp"
#include "config/secrets.hpp"

namespace verbatim::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t KiB = 1024;
constexpr std::size_t MiB = 1024 * KiB;
constexpr std::size_t GiB = 1024 * MiB;
constexpr milliseconds day = 24h;

template <class Part, class T>
Key key(std::string name, Part Settings::*section, T Part::*field, Format<T> format) {
  return {
      std::move(name), format.shape, std::move(format.accepts),
      [=, read = std::move(format.read)](Settings& settings, const Value& value, Source source) {
        settings.*section.*field = read(value, source);
      },
      [=, print = std::move(format.print)](const Settings& settings) {
        return print ? print(settings.*section.*field) : Value();
      }};
}

/// Returns the names of secret files in a value.
using SecretFiles = std::vector<std::string> (*)(const Value&);

std::vector<std::string> the_file(const Value& value) {
  return value.is_string() ? std::vector{value.get<std::string>()} : std::vector<std::string>{};
}

std::vector<std::string> files_of_targets(const Value& targets) {
  std::vector<std::string> files;
  for (const Value& target : targets) {
    if (target.contains("secret_file")) files.push_back(member(target, "secret_file"));
  }
  return files;
}

/// Adds a warning to the key for each of its files that other users can read or change.
Key watched(Key key, SecretFiles files) {
  key.read = [read = std::move(key.read), name = key.name, files](
                 Settings& settings, const Value& value, Source source) {
    read(settings, value, source);
    std::erase_if(settings.warnings, [&](const std::string& one) {
      return one.starts_with(name + ":");  // from a value that this one replaces
    });
    for (const std::string& file : files(value)) {
      const std::string warning = secret_file_warning(file);
      if (!warning.empty()) settings.warnings.push_back(name + ": " + warning);
    }
  };
  return key;
}

/// A secret has two keys: NAME_file is accepted anywhere, NAME itself only in the environment.
template <class Part>
void add_secret(std::vector<Key>& table, const std::string& name, Part Settings::*section,
                Secret Part::*field) {
  const std::string file = name + "_file";
  const std::string variable = environment_variable(name);
  table.push_back(key(name, section, field,
                      secret("a secret of 8 to 4096 characters, only from " + variable,
                             "is not accepted here: use " + file + " or " + variable)));
  table.back().role = Role::secret;
  table.push_back(watched(key(file, section, field, secret_file()), the_file));
  table.back().role = Role::secret_file;
}

std::vector<Key> make_server_keys() {
  using S = Settings;
  return {
      key("server.listen", &S::server, &Server::listen, endpoint(false)),
      key("server.data_dir", &S::server, &Server::data_dir, path("a directory", false)),
      key("server.allowed_origins", &S::server, &Server::allowed_origins, origins()),
      key("server.public_url", &S::server, &Server::public_url, public_url()),
      key("server.trusted_proxies", &S::server, &Server::trusted_proxies, networks()),
      key("server.shutdown_grace", &S::server, &Server::shutdown_grace, duration(0s, 10min)),
      key("server.restart", &S::server, &Server::restart,
          choice<Restart>({{"end", Restart::end}, {"handover", Restart::handover}})),
      key("server.console", &S::server, &Server::console, boolean()),
      key("server.threads", &S::server, &Server::threads, number<int>(0, 256)),
      key("server.connections_max", &S::server, &Server::connections_max,
          number<std::size_t>(1, 1'000'000)),
      key("server.connections_per_address", &S::server, &Server::connections_per_address,
          number<std::size_t>(0, 1'000'000)),
      key("server.header_bytes_max", &S::server, &Server::header_bytes_max, bytes(KiB, MiB)),
      key("server.body_bytes_max", &S::server, &Server::body_bytes_max, bytes(KiB, GiB)),
      key("server.bodies_bytes_max", &S::server, &Server::bodies_bytes_max,
          bytes(64 * KiB, 1024 * GiB)),
      key("server.answers_bytes_max", &S::server, &Server::answers_bytes_max,
          bytes(64 * KiB, 1024 * GiB)),
      key("server.handshake_timeout", &S::server, &Server::handshake_timeout,
          duration(100ms, 5min)),
      key("server.request_timeout", &S::server, &Server::request_timeout, duration(100ms, 1h)),
      key("server.keep_alive_timeout", &S::server, &Server::keep_alive_timeout,
          duration(100ms, 1h)),
      key("server.large_message_bytes", &S::server, &Server::large_message_bytes,
          bytes(64 * KiB, 1024 * GiB)),
      key("server.large_message_timeout", &S::server, &Server::large_message_timeout,
          duration(100ms, 1h)),
      key("server.core_dumps", &S::server, &Server::core_dumps, boolean()),
      key("tls.enabled", &S::tls, &Tls::enabled, boolean()),
      key("tls.cert_file", &S::tls, &Tls::cert_file, path("a PEM file, or nothing")),
      watched(key("tls.key_file", &S::tls, &Tls::key_file, path("a PEM file, or nothing")),
              the_file),
      key("tls.hsts_max_age", &S::tls, &Tls::hsts_max_age, duration(0s, 3650 * day)),
  };
}

std::vector<Key> make_auth_keys() {
  using S = Settings;
  std::vector<Key> table{key("auth.api_keys", &S::auth, &Auth::api_keys, api_keys())};
  add_secret(table, "auth.token_secret", &S::auth, &Auth::token_secret);
  add_secret(table, "auth.internal_service_key", &S::auth, &Auth::internal_service_key);
  table.push_back(key("auth.token_ttl", &S::auth, &Auth::token_ttl, duration(1s, 30 * day)));
  table.push_back(
      key("auth.token_ttl_max", &S::auth, &Auth::token_ttl_max, duration(1s, 30 * day)));
  table.push_back(key("auth.development", &S::auth, &Auth::development, boolean()));
  return table;
}

std::vector<Key> make_upstream_keys() {
  using S = Settings;
  std::vector<Key> table{key("upstream.url", &S::upstream, &Upstream::url, upstream_url())};
  add_secret(table, "upstream.api_key", &S::upstream, &Upstream::api_key);
  const std::vector<Key> rest{
      key("upstream.auth", &S::upstream, &Upstream::auth,
          choice<UpstreamAuth>({{"bearer", UpstreamAuth::bearer},
                                {"api_key_header", UpstreamAuth::api_key_header},
                                {"basic", UpstreamAuth::basic}})),
      key("upstream.organization", &S::upstream, &Upstream::organization,
          name("an id, or nothing", true)),
      key("upstream.project", &S::upstream, &Upstream::project, name("an id, or nothing", true)),
      key("upstream.model", &S::upstream, &Upstream::model, name("a model's name")),
      key("upstream.model_parameter", &S::upstream, &Upstream::model_parameter, parameter()),
      key("upstream.ca_file", &S::upstream, &Upstream::ca_file, path("a PEM file, or nothing")),
      key("upstream.proxy", &S::upstream, &Upstream::proxy, proxy_url()),
      key("upstream.connect_timeout", &S::upstream, &Upstream::connect_timeout,
          duration(100ms, 5min)),
      key("upstream.created_timeout", &S::upstream, &Upstream::created_timeout,
          duration(100ms, 5min)),
      key("upstream.message_bytes_max", &S::upstream, &Upstream::message_bytes_max,
          bytes(64 * KiB, 256 * MiB)),
      key("upstream.reconnect_attempts_max", &S::upstream, &Upstream::reconnect_attempts_max,
          number<std::size_t>(0, 1000)),
      key("upstream.reconnect_pause_min", &S::upstream, &Upstream::reconnect_pause_min,
          duration(1ms, 1min)),
      key("upstream.reconnect_pause_max", &S::upstream, &Upstream::reconnect_pause_max,
          duration(1ms, 10min)),
      key("upstream.rotate_after", &S::upstream, &Upstream::rotate_after, duration(0s, 24h)),
  };
  table.insert(table.end(), rest.begin(), rest.end());
  return table;
}

std::vector<Key> make_session_keys() {
  using S = Settings;
  return {
      key("session.resume_window", &S::session, &Session::resume_window, duration(0s, 24h)),
      key("session.resume_buffer_bytes_max", &S::session, &Session::resume_buffer_bytes_max,
          bytes(4 * KiB, GiB)),
      key("session.open_answers_bytes_max", &S::session, &Session::open_answers_bytes_max,
          bytes(4 * KiB, 64 * MiB)),
      key("session.items_in_memory", &S::session, &Session::items_in_memory,
          number<std::size_t>(0, 1'000'000)),
      key("session.item_bytes_max", &S::session, &Session::item_bytes_max, bytes(KiB, 64 * MiB)),
      key("session.idle_timeout", &S::session, &Session::idle_timeout, duration(100ms, 24h)),
      key("session.max_duration", &S::session, &Session::max_duration, duration(100ms, 7 * day)),
      key("session.ending_notice", &S::session, &Session::ending_notice, duration(0ms, 1h)),
      key("session.ping_interval", &S::session, &Session::ping_interval, duration(100ms, 1h)),
      key("session.close_timeout", &S::session, &Session::close_timeout, duration(100ms, 1min)),
      key("session.sessions_max", &S::session, &Session::sessions_max,
          number<std::size_t>(1, 1'000'000)),
      key("session.client_message_bytes_max", &S::session, &Session::client_message_bytes_max,
          bytes(KiB, 64 * MiB)),
      key("session.client_queue_bytes_max", &S::session, &Session::client_queue_bytes_max,
          bytes(4 * KiB, GiB)),
      key("session.upstream_queue_bytes_max", &S::session, &Session::upstream_queue_bytes_max,
          bytes(4 * KiB, GiB)),
      key("session.slow_client_timeout", &S::session, &Session::slow_client_timeout,
          duration(100ms, 1h)),
      key("session.transcription_grace", &S::session, &Session::transcription_grace,
          duration(0ms, 1min)),
      key("session.input_transcription", &S::session, &Session::input_transcription, boolean()),
      key("session.transcription_model", &S::session, &Session::transcription_model,
          name("a model's name")),
      key("session.extra_client_events", &S::session, &Session::extra_client_events, event_types()),
  };
}

std::vector<Key> make_limit_keys() {
  using S = Settings;
  constexpr std::int64_t most = 1'000'000'000'000;
  return {
      key("limits.audio_seconds", &S::limits, &Limits::audio_seconds,
          number<std::size_t>(0, 1'000'000'000)),
      key("limits.tokens", &S::limits, &Limits::tokens, number<std::size_t>(0, most)),
      key("limits.user_audio_seconds", &S::limits, &Limits::user_audio_seconds,
          number<std::size_t>(0, 1'000'000'000)),
      key("limits.user_tokens", &S::limits, &Limits::user_tokens, number<std::size_t>(0, most)),
      key("limits.warn_percent", &S::limits, &Limits::warn_percent, number<int>(1, 100)),
      key("limits.sessions_per_user", &S::limits, &Limits::sessions_per_user,
          number<std::size_t>(0, 1'000'000)),
      key("limits.connects_per_minute", &S::limits, &Limits::connects_per_minute,
          number<std::size_t>(0, 1'000'000)),
      key("limits.journal_bytes_per_second", &S::limits, &Limits::journal_bytes_per_second,
          bytes(0, 1024 * GiB)),
      key("limits.journal_bytes_per_minute", &S::limits, &Limits::journal_bytes_per_minute,
          bytes(0, 1024 * GiB)),
      key("limits.all_journal_bytes_per_minute", &S::limits, &Limits::all_journal_bytes_per_minute,
          bytes(0, 1024 * GiB)),
      key("policy.client_events", &S::policy, &Policy::client_events, event_types()),
      key("policy.locked", &S::policy, &Policy::locked,
          fields("a list of fields like \"instructions\" or \"audio.output.voice\", or bound, or "
                 "all")),
      key("policy.hide", &S::policy, &Policy::hide,
          fields("a list of fields like \"instructions\" or \"tools\"")),
      key("policy.values_max", &S::policy, &Policy::values_max,
          number<std::size_t>(100, 10'000'000)),
      key("policy.depth_max", &S::policy, &Policy::depth_max, number<std::size_t>(8, 128)),
      key("policy.templates", &S::policy, &Policy::templates, instruction_templates()),
  };
}

std::vector<Key> make_storage_keys() {
  using S = Settings;
  return {
      key("journal.durability", &S::journal, &Journal::durability,
          choice<Durability>({{"power", Durability::power}, {"process", Durability::process}})),
      key("journal.queue_bytes_max", &S::journal, &Journal::queue_bytes_max,
          bytes(64 * KiB, 16 * GiB)),
      key("journal.batch_rows_max", &S::journal, &Journal::batch_rows_max,
          number<std::size_t>(1, 100'000)),
      key("journal.batch_bytes_max", &S::journal, &Journal::batch_bytes_max,
          bytes(4 * KiB, 64 * MiB)),
      key("journal.busy_timeout", &S::journal, &Journal::busy_timeout, duration(0s, 1min)),
      key("journal.full_retry", &S::journal, &Journal::full_retry, duration(10ms, 10min)),
      key("journal.slow_commit", &S::journal, &Journal::slow_commit, duration(10ms, 1min)),
      key("journal.stuck_commit", &S::journal, &Journal::stuck_commit, duration(100ms, 10min)),
      key("journal.wal_checkpoint_bytes", &S::journal, &Journal::wal_checkpoint_bytes,
          bytes(64 * KiB, 4 * GiB)),
      key("journal.log_bytes_max", &S::journal, &Journal::log_bytes_max,
          bytes(64 * KiB, 1024 * GiB)),
      key("journal.read_max", &S::journal, &Journal::read_max, duration(100ms, 1h)),
      key("storage.fallback_dir", &S::storage, &Storage::fallback_dir,
          path("a directory, or nothing")),
      key("storage.free_space_warn", &S::storage, &Storage::free_space_warn, bytes(0, 1024 * GiB)),
      key("storage.free_space_min", &S::storage, &Storage::free_space_min, bytes(0, 1024 * GiB)),
      key("storage.ballast", &S::storage, &Storage::ballast, bytes(0, 16 * GiB)),
      key("storage.retention", &S::storage, &Storage::retention, duration(0s, 36'500 * day)),
      key("posts.per_minute", &S::posts, &Posts::per_minute, number<std::size_t>(0, 1'000'000)),
      key("posts.turns_max", &S::posts, &Posts::turns_max, number<std::size_t>(1, 1'000'000)),
      key("posts.turn_bytes_max", &S::posts, &Posts::turn_bytes_max, bytes(KiB, 16 * MiB)),
      key("posts.copies_max", &S::posts, &Posts::copies_max, number<std::size_t>(1, 1'000'000)),
      key("posts.attempt_turns_max", &S::posts, &Posts::attempt_turns_max,
          number<std::size_t>(1, 10'000'000)),
      key("posts.attempt_bytes_max", &S::posts, &Posts::attempt_bytes_max, bytes(KiB, 4 * GiB)),
      key("posts.client_turns_max", &S::posts, &Posts::client_turns_max,
          number<std::size_t>(1, 10'000'000)),
      key("posts.client_bytes_max", &S::posts, &Posts::client_bytes_max, bytes(KiB, 4 * GiB)),
      key("posts.merged_bytes_max", &S::posts, &Posts::merged_bytes_max, bytes(0, 16 * GiB)),
      key("events.watchers_max", &S::events, &Events::watchers_max,
          number<std::size_t>(0, 1'000'000)),
      key("events.watchers_per_session_max", &S::events, &Events::watchers_per_session_max,
          number<std::size_t>(1, 1'000'000)),
      key("events.interval", &S::events, &Events::interval, duration(1ms, 1min)),
      key("events.heartbeat", &S::events, &Events::heartbeat, duration(100ms, 10min)),
      key("events.write_timeout", &S::events, &Events::write_timeout, duration(100ms, 10min)),
      key("events.connection_max", &S::events, &Events::connection_max, duration(100ms, 7 * day)),
      key("capture.dir", &S::capture, &Capture::dir, path("a directory, or nothing")),
  };
}

std::vector<Key> make_operator_keys() {
  using S = Settings;
  return {
      key("metrics.listen", &S::metrics, &Metrics::listen, endpoint(true)),
      key("log.level", &S::log, &LogOptions::level,
          choice<LogLevel>({{"debug", LogLevel::debug},
                            {"info", LogLevel::info},
                            {"warn", LogLevel::warn},
                            {"error", LogLevel::error}})),
      key("log.format", &S::log, &LogOptions::format,
          choice<LogFormat>({{"text", LogFormat::text}, {"json", LogFormat::json}})),
      key("log.lines_per_second", &S::log, &LogOptions::lines_per_second,
          number<std::size_t>(0, 1'000'000)),
      watched(key("webhook.targets", &S::webhook, &Webhook::targets, webhook_targets()),
              files_of_targets),
      key("webhook.timeout", &S::webhook, &Webhook::timeout, duration(100ms, 5min)),
      key("webhook.settle", &S::webhook, &Webhook::settle, duration(0s, 10min)),
      key("webhook.retry_min", &S::webhook, &Webhook::retry_min, duration(10ms, 1h)),
      key("webhook.retry_max", &S::webhook, &Webhook::retry_max, duration(10ms, day)),
      key("webhook.tries_max", &S::webhook, &Webhook::tries_max, number<std::size_t>(1, 1000)),
      key("webhook.body_bytes_max", &S::webhook, &Webhook::body_bytes_max, bytes(KiB, 64 * MiB)),
      key("simulator.recordings_dir", &S::simulator, &Simulator::recordings_dir,
          path("a directory, or nothing")),
      key("simulator.profile", &S::simulator, &Simulator::profile,
          choice<std::string>({{"openai", "openai"},
                               {"azure", "azure"},
                               {"xai", "xai"},
                               {"inworld", "inworld"},
                               {"speech-to-speech", "speech-to-speech"},
                               {"vllm-omni", "vllm-omni"}})),
      key("testing.forward_before_commit", &S::testing, &Testing::forward_before_commit, boolean()),
  };
}

}  // namespace

std::string environment_variable(std::string name) {
  for (char& c : name) {
    if (c == '.') c = '_';
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return "VERBATIM_" + name;
}

const std::vector<Key>& keys() {
  static const std::vector<Key> table = [] {
    std::vector<Key> all;
    for (auto make : {make_server_keys, make_auth_keys, make_upstream_keys, make_session_keys,
                      make_limit_keys, make_storage_keys, make_operator_keys}) {
      for (Key& key : make()) all.push_back(std::move(key));
    }
    return all;
  }();
  return table;
}

}  // namespace verbatim::config
