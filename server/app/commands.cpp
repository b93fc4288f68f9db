#include "server/app/commands.hpp"
#include "server/net/tls_record_buffers.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/ids.hpp"
#include "base/printable.hpp"
#include "server/api/session_json.hpp"
#include "server/app/app.hpp"
#include "server/app/data_commands.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/health_check.hpp"
#include "server/app/process.hpp"
#include "server/app/simulator_app.hpp"
#include "server/net/tls.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "server/relay/access/token_terms.hpp"
#include "server/relay/traffic_capture.hpp"
#include "session/protocol/recording.hpp"
#include "session/protocol/replay.hpp"
#include "simulator/profile.hpp"
#include "storage/maintenance/offline_store.hpp"

namespace verbatim::app {

namespace {

using nlohmann::json;

transcript::Format format_or_throw(const std::string& name) {
  const auto format = transcript::format_from_string(name);
  if (!format) {
    throw CLI::ValidationError(
        "--format", name + " is not a format: use json, jsonl, text, markdown, vtt or srt");
  }
  return *format;
}

std::int64_t seconds_from(const std::string& text) {
  std::size_t used = 0;
  std::int64_t value = 0;
  try {
    value = std::stoll(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  const std::string unit = text.substr(used);
  const std::int64_t factor = unit == "s" || unit.empty() ? 1
                              : unit == "m"               ? 60
                              : unit == "h"               ? 3600
                              : unit == "d"               ? 86400
                                                          : 0;
  if (used == 0 || factor == 0 || value <= 0) {
    throw CLI::ValidationError("--ttl", text + " is not a duration such as 600s, 10m or 2h");
  }
  return value * factor;
}

int serve(const Common& common, const std::string& ready_file) {
  App::Options options;
  options.sources = common.sources();
  options.settings = config::load(options.sources);
  options.ready_file = ready_file;
  App app(std::move(options));
  return app.run();
}

int check(const Common& common) {
  const config::Settings settings = common.settings();
  for (const std::string& warning : settings.warnings)
    std::cerr << "verbatim: warning: " << warning << "\n";
  access::require_known_fields(settings);
  if (settings.tls.enabled && !settings.tls.cert_file.empty())
    net::server_context({settings.tls.cert_file, settings.tls.key_file});
  if (!settings.upstream.ca_file.empty()) net::client_context(settings.upstream.ca_file);
  std::cout << (common.as_json ? config::to_json(settings) : config::to_toml(settings));
  return exit_code::ok;
}

struct TokenRequest {
  std::string user;
  std::string session_id;
  std::string ttl = "600s";
  std::string metadata = "{}";
};

/// Whether the session belongs to another user, if this machine has the store. A token may also be
/// made before the first start, or on another machine.
bool is_of_another_user(const config::Settings& settings, const access::TokenClaims& claims) {
  const std::filesystem::path file = database_in(settings.server.data_dir);
  if (claims.session_open || !std::filesystem::exists(file)) return false;
  const auto owner = store_of(settings).find_owner(claims.session_id);
  return owner && *owner != claims.user;
}

/// Stores the token so that it can be listed and revoked. Its signature alone makes it valid.
void write_down(const config::Settings& settings, const access::TokenClaims& claims,
                std::int64_t wall) {
  if (!std::filesystem::exists(database_in(settings.server.data_dir))) return;
  try {
    store::ClientToken token;
    token.id = claims.id;
    token.user = claims.user;
    token.session_id = claims.session_id;
    token.session_open = claims.session_open;
    token.created_at = wall;
    token.expires_at = claims.expires_at_s * 1000;
    store_of(settings).save_token(token);
  } catch (const store::StorageError& error) {
    std::cerr << "verbatim: the token is valid, but it cannot be listed or revoked: "
              << error.what() << "\n";
  }
}

int token(const Common& common, const TokenRequest& request) {
  const config::Settings settings = common.settings();
  if (!settings.server.core_dumps) forbid_dumps();
  const std::int64_t wall = now().wall;
  access::TokenClaims claims;
  claims.id = new_id("cs_", wall);
  claims.user = request.user;
  claims.session_open = request.session_id.empty();
  claims.session_id = request.session_id.empty() ? new_id("sess_", wall) : request.session_id;
  if (!is_valid_session_id(claims.session_id)) {
    return fail("--session must be 1 to 128 letters, digits, '_', '-', '.' or ':'",
                exit_code::bad_usage);
  }
  for (const std::string& id : {claims.session_id, claims.user}) {
    if (!access::IdGuard(settings).admits(id))
      return fail("--session or --user" + std::string(access::IdGuard::why), exit_code::bad_usage);
  }
  const json metadata = json::parse(request.metadata, nullptr, false);
  if (!metadata.is_object()) return fail("--metadata must be a JSON object", exit_code::bad_usage);
  claims.metadata_json = metadata.dump();
  claims.expires_at_s = wall / 1000 + seconds_from(request.ttl);
  if (is_of_another_user(settings, claims)) {
    return fail("this user has no session " + claims.session_id, exit_code::not_found);
  }
  std::filesystem::create_directories(settings.server.data_dir);
  const std::string secret = settings.auth.token_secret.empty()
                                 ? token_secret_in(settings.server.data_dir)
                                 : settings.auth.token_secret.reveal();
  const std::string value = access::Authenticator({}, secret, false).mint(claims);
  if (const auto why =
          access::too_long(value, settings.server.header_bytes_max,
                           {{"--metadata", claims.metadata_json}, {"--user", claims.user}}))
    return fail(*why, exit_code::bad_usage);
  write_down(settings, claims, wall);
  if (common.as_json) {
    print({{"value", value},
           {"expires_at", claims.expires_at_s},
           {"token_id", claims.id},
           {"session_id", claims.session_id},
           {"user", claims.user}});
  } else {
    std::cout << value << "\n";
  }
  return exit_code::ok;
}

int health(const Common& common, std::string url) {
  if (url.empty()) {
    const config::Settings settings = common.settings();
    Endpoint listen = settings.server.listen;
    if (listen.host == "0.0.0.0") listen.host = "127.0.0.1";
    if (listen.host == "::") listen.host = "::1";
    const bool bracket = listen.host.find(':') != std::string::npos;
    url = std::string(settings.tls.enabled ? "https://" : "http://") + (bracket ? "[" : "") +
          listen.host + (bracket ? "]" : "") + ":" + std::to_string(listen.port) + "/readyz";
  }
  const HealthAnswer answer = ask_health(url, std::chrono::seconds(4));
  std::cout << (answer.detail.empty() ? "no answer" : answer.detail) << "\n";
  return answer.status == 200 ? exit_code::ok : exit_code::failed;
}

int keygen(const Common& common) {
  const access::NewApiKey made = access::make_api_key();
  if (common.as_json) {
    print({{"key", made.key}, {"sha256", "sha256:" + made.sha256}});
  } else {
    std::cout << made.key << "\nsha256:" << made.sha256 << "\n";
    std::cerr << "The first line is the key. It is shown only once. Put the second line into "
                 "auth.api_keys.\n";
  }
  return exit_code::ok;
}

int sessions_list(const Common& common, std::size_t limit) {
  store::SessionFilter filter;
  filter.limit = limit;
  const store::SessionPage page = store_of(common.settings()).list_sessions(filter);
  if (common.as_json) {
    json sessions = json::array();
    for (const auto& one : page.sessions) sessions.push_back(api::to_json(one));
    print({{"sessions", sessions},
           {"next_cursor", page.next_cursor.empty() ? json() : json(page.next_cursor)}});
    return exit_code::ok;
  }
  for (const auto& one : page.sessions) {
    const json session = api::to_json(one);
    std::cout << one.id << "  " << iso_time(one.created_at) << "  "
              << transcript::to_string(one.status) << "  "
              << (session["close_reason"].is_string() ? session["close_reason"].get<std::string>()
                                                      : "-")
              << "  turns=" << session["turns"] << "  user=" << printable(one.user) << "\n";
  }
  return exit_code::ok;
}

int sessions_show(const Common& common, const std::string& id) {
  const auto session = store_of(common.settings()).find_session(id);
  if (!session) return fail("there is no session " + id, exit_code::not_found);
  print(api::to_json(*session));
  return exit_code::ok;
}

int sessions_export(const Common& common, const std::string& id, const std::string& format,
                    const std::string& attempt) {
  const transcript::Format chosen = format_or_throw(format);
  store::TranscriptRequest request;
  request.session_id = id;
  request.all_attempts = attempt == "all";
  if (!request.all_attempts && !attempt.empty()) request.attempt = std::stoi(attempt);
  const auto views = store_of(common.settings()).read_transcripts(request);
  if (!views) {
    const char* const what =
        request.all_attempts ? "there is no session " : "there is no such session or attempt: ";
    return fail(what + id, exit_code::not_found);
  }
  const std::string text = request.all_attempts ? transcript::render(id, *views, chosen)
                                                : transcript::render(views->front(), chosen);
  std::cout << text;
  if (chosen == transcript::Format::json) std::cout << "\n";
  return exit_code::ok;
}

int sessions_delete(const Common& common, const std::string& id) {
  const config::Settings settings = common.settings();
  const maintenance::OfflineStore store = store_of(settings);
  const auto session = store.find_session(id);
  if (!session) return fail("there is no session " + id, exit_code::not_found);
  if (session->status == transcript::SessionStatus::live ||
      session->status == transcript::SessionStatus::detached) {
    return fail("session " + id + " is live; end it first", exit_code::failed);
  }
  // First: if it cannot be removed, the session still exists and can be erased again.
  if (!relay::erase_captured(settings.capture.dir, id)) {
    return fail("cannot remove every captured file of session " + id + " from " +
                    settings.capture.dir.string() + "; nothing else of it was erased",
                exit_code::failed);
  }
  if (const auto log = store.erase_session(id)) {
    return fail("session " + id + " is erased, but its text is still in the write-ahead log " +
                    log->string() +
                    ", because another process is reading that log. The server empties the log "
                    "when it erases the next session or stops",
                exit_code::failed);
  }
  return exit_code::ok;
}

int replay(const std::string& path, const std::string& format) {
  const transcript::Format chosen = format_or_throw(format);
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("cannot read " + path, exit_code::not_found);
  std::stringstream content;
  content << file.rdbuf();
  const protocol::Recording recording = protocol::read_recording(content.str());
  for (const auto& error : recording.errors) {
    std::cerr << "verbatim: " << path << ":" << error.line << ": " << error.message << "\n";
  }
  if (recording.events.empty())
    return fail(path + " contains no recorded event", exit_code::failed);
  std::cout << transcript::render(protocol::replay(recording), chosen);
  if (chosen == transcript::Format::json) std::cout << "\n";
  return exit_code::ok;
}

int guarded(const std::function<int()>& command) {
  try {
    return command();
  } catch (const CLI::Error& error) {
    return fail(error.what(), exit_code::bad_usage);
  } catch (const config::ConfigError& error) {
    return fail(error.what(), exit_code::bad_usage);
  } catch (const store::StorageError& error) {
    return fail(error.what(), error.failure() == store::Failure::not_found ? exit_code::not_found
                                                                           : exit_code::failed);
  } catch (const std::exception& error) {
    return fail(error.what(), exit_code::failed);
  }
}

void add_common(CLI::App& command, Common& common) {
  command.add_option("--config", common.config_file, "configuration file (TOML)");
  command
      .add_option("--set", common.assignments,
                  "set section.key=value; overrides the file and the environment")
      ->take_all();
  command.add_flag("--json", common.as_json, "print the result as JSON");
}

}  // namespace

int run_command_line(int argc, char** argv) {
  net::recycle_record_buffers();
  std::signal(SIGPIPE, SIG_IGN);
  // A file size limit (ulimit -f, LimitFSIZE=) then fails the write, like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  Common common;
  CLI::App app{"Verbatim relays realtime voice and keeps the transcripts.", "verbatim"};
  app.set_version_flag("--version", std::string("verbatim ") + VERBATIM_VERSION);
  app.require_subcommand(0, 1);
  std::function<int()> chosen;

  std::string ready_file;
  const auto add_serve_options = [&](CLI::App& command) {
    add_common(command, common);
    command.add_option("--ready-file", ready_file, "file that gets {pid,url} when ready");
  };
  add_serve_options(app);
  chosen = [&] { return serve(common, ready_file); };
  CLI::App* serve_command = app.add_subcommand("serve", "run the relay (the default)");
  add_serve_options(*serve_command);

  std::string data_dir;
  CLI::App* check_command = app.add_subcommand("check", "validate the configuration and print it");
  add_common(*check_command, common);
  CLI::Option* with_data =
      check_command->add_option("--data", data_dir, "check stored data; default: server.data_dir")
          ->expected(0, 1);
  check_command->callback([&, with_data] {
    chosen = [&, with_data] {
      return with_data->count() > 0 ? check_data(common, data_dir) : check(common);
    };
  });

  std::string backup_file;
  CLI::App* backup_command =
      app.add_subcommand("backup", "copy the database into one file; a server may be running");
  add_common(*backup_command, common);
  backup_command->add_option("file", backup_file, "new file for the backup")->required();
  backup_command->add_option("--data", data_dir, "data folder; default: server.data_dir");
  backup_command->callback([&] { chosen = [&] { return backup(common, data_dir, backup_file); }; });

  TokenRequest token_request;
  CLI::App* token_command = app.add_subcommand("token", "mint a client token");
  add_common(*token_command, common);
  token_command->add_option("--user", token_request.user, "id of the user")->required();
  token_command->add_option("--session", token_request.session_id, "session id; default: new");
  token_command->add_option("--ttl", token_request.ttl, "lifetime, such as 600s, 10m or 2h");
  token_command->add_option("--metadata", token_request.metadata, "JSON object with metadata");
  token_command->callback([&] { chosen = [&] { return token(common, token_request); }; });

  std::string health_url;
  CLI::App* health_command =
      app.add_subcommand("health", "ask a running server whether it is ready; exit 0 or 1");
  add_common(*health_command, common);
  health_command->add_option("--url", health_url, "URL to ask; default: /readyz at server.listen");
  health_command->callback([&] { chosen = [&] { return health(common, health_url); }; });

  CLI::App* keygen_command = app.add_subcommand("keygen", "make a back-end API key");
  add_common(*keygen_command, common);
  keygen_command->callback([&] { chosen = [&] { return keygen(common); }; });

  CLI::App* sessions = app.add_subcommand("sessions", "list, show, export, delete sessions");
  sessions->require_subcommand(1);
  std::string id;
  std::string format = "text";
  std::string attempt;
  std::size_t limit = 50;
  CLI::App* list = sessions->add_subcommand("list", "list stored sessions, newest first");
  add_common(*list, common);
  list->add_option("--limit", limit, "at most this many sessions")->check(CLI::Range(1, 500));
  list->callback([&] { chosen = [&] { return sessions_list(common, limit); }; });
  CLI::App* show = sessions->add_subcommand("show", "show one session");
  add_common(*show, common);
  show->add_option("id", id, "session id")->required();
  show->callback([&] { chosen = [&] { return sessions_show(common, id); }; });
  CLI::App* export_command = sessions->add_subcommand("export", "print a transcript");
  add_common(*export_command, common);
  export_command->add_option("id", id, "session id")->required();
  export_command->add_option("--format", format, "json, jsonl, text, markdown, vtt, srt");
  export_command->add_option("--attempt", attempt, "number, or all; default: latest")
      ->check(CLI::Range(1, 1'000'000) | CLI::IsMember({"all"}));
  export_command->callback([&] {
    chosen = [&] { return sessions_export(common, id, common.as_json ? "json" : format, attempt); };
  });
  CLI::App* erase = sessions->add_subcommand("delete", "erase one session and all of its data");
  add_common(*erase, common);
  erase->add_option("id", id, "session id")->required();
  erase->callback([&] { chosen = [&] { return sessions_delete(common, id); }; });

  bool dry_run = false;
  CLI::App* webhooks = app.add_subcommand("webhooks", "list or resend undelivered messages");
  webhooks->require_subcommand(1);
  bool dead_only = false;
  CLI::App* undelivered = webhooks->add_subcommand("list", "list undelivered messages");
  add_common(*undelivered, common);
  undelivered->add_flag("--dead", dead_only, "only dead letters: messages that are not sent again");
  undelivered->callback([&] { chosen = [&] { return list_deliveries(common, dead_only); }; });
  std::string dead_letter;
  bool all_dead = false;
  CLI::App* redrive = webhooks->add_subcommand("redrive", "send dead letters again");
  add_common(*redrive, common);
  auto* which = redrive->add_option_group("which");
  which->add_option("message", dead_letter, "id of one message (msg_...)");
  which->add_flag("--all", all_dead, "all dead letters");
  which->require_option(1);
  redrive->callback([&] { chosen = [&] { return redrive_deliveries(common, dead_letter); }; });

  CLI::App* recover_command =
      app.add_subcommand("recover", "recover the journal after a crash; no server may run");
  add_common(*recover_command, common);
  recover_command->add_flag("--dry-run", dry_run, "only print what would be done");
  recover_command->callback([&] { chosen = [&] { return recover(common, dry_run); }; });

  std::string recording;
  CLI::App* replay_command = app.add_subcommand("replay", "print a recorded stream's transcript");
  replay_command->add_option("file", recording, "recorded stream (JSON Lines)")->required();
  replay_command->add_option("--format", format, "json, jsonl, text, markdown, vtt, srt");
  replay_command->add_flag("--json", common.as_json, "the same as --format json");
  replay_command->callback(
      [&] { chosen = [&] { return replay(recording, common.as_json ? "json" : format); }; });

  SimulatorApp simulator;
  std::string listen = "127.0.0.1:8444";
  CLI::App* simulate = app.add_subcommand("simulate", "run a simulated provider");
  simulate->add_option("--listen", listen, "host:port; port 0 picks one");
  simulate->add_option("--recordings", simulator.recordings_dir, "folder of recorded streams");
  simulate->add_option("--ready-file", simulator.ready_file, "file that gets {pid,url} when ready");
  simulate->add_option("--pace", simulator.pace, "delay factor: 1 real time, 0 no delay")
      ->check(CLI::Range(0.0, 1000.0));
  simulate->add_option("--seed", simulator.seed, "seed of all random choices");
  simulate->add_option("--faults", simulator.faults, "faults to inject; see docs/simulator.md");
  simulate
      ->add_option("--profile", simulator.profile,
                   "provider to imitate: " + std::string(simulator::profile_names()))
      ->check([](const std::string& name) {
        try {
          simulator::profile_named(name);
          return std::string();
        } catch (const std::invalid_argument& unknown) {
          return std::string(unknown.what());
        }
      });
  simulate->add_option("--received", simulator.received_file,
                       "file for the clients' events, no audio");
  CLI::Option* certificate =
      simulate->add_option("--cert", simulator.tls.cert_file, "serve TLS with this certificate");
  CLI::Option* key = simulate->add_option("--key", simulator.tls.key_file, "its private key");
  certificate->needs(key);
  key->needs(certificate);
  simulate->callback([&] {
    chosen = [&] {
      config::Sources where;
      where.assignments = {"server.listen=" + listen};
      simulator.listen = config::load(where).server.listen;
      simulator.tls.enabled = !simulator.tls.cert_file.empty();
      return run_simulator(simulator);
    };
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, std::cout, std::cerr);
    return code == 0 ? exit_code::ok : exit_code::bad_usage;
  }
  return guarded(chosen);
}

}  // namespace verbatim::app
