#include "server/realtime.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "server/ws_peer.hpp"
#include "session/own_events.hpp"

namespace verbatim::server {

namespace {

using session::CloseReason;

/// When a client whose transcript could not be kept may ask again: disks are mended by people.
constexpr int storage_retry_seconds = 10;

HttpResponse retry_later(HttpResponse response, int seconds) {
  response.headers.emplace_back("Retry-After", std::to_string(seconds));
  return response;
}

// A client's words about its own leaving stay out of the log.
bool decided_by_client(CloseReason reason) {
  return reason == CloseReason::client_closed || reason == CloseReason::client_lost;
}

session::SessionOptions session_options(const config::Session& settings) {
  session::SessionOptions options;
  options.idle_timeout_ms = settings.idle_timeout.count();
  options.max_duration_ms = settings.max_duration.count();
  options.ending_notice_ms = settings.ending_notice.count();
  options.slow_client_timeout_ms = settings.slow_client_timeout.count();
  options.transcription_grace_ms = settings.transcription_grace.count();
  options.client_queue_bytes_max = settings.client_queue_bytes_max;
  options.upstream_queue_bytes_max = settings.upstream_queue_bytes_max;
  options.input_transcription = settings.input_transcription;
  options.transcription_model = settings.transcription_model;
  options.extra_client_events = settings.extra_client_events;
  return options;
}

}  // namespace

Awaitable<std::optional<HttpResponse>> RealtimeEndpoint::take_place(const std::string& session_id,
                                                                    Worker& worker) const {
  Registry& registry = parts_.registry;
  const auto deadline = Clock::now() + 3 * parts_.settings.session.close_timeout;
  while (true) {
    const auto released = registry.watch(session_id, worker.executor());
    switch (registry.admit(session_id)) {
      case Admission::admitted:
        co_return std::nullopt;
      case Admission::draining:
        co_return retry_later(
            openai_error(503, "server_shutting_down", "The server is restarting; come back."), 2);
      case Admission::full:
        co_return retry_later(openai_error(503, "too_many_sessions",
                                           "The server has as many sessions as it admits "
                                           "(session.sessions_max)."),
                              10);
      case Admission::busy:
        break;
    }
    // Two connections of one session: the newer wins.
    if (Clock::now() >= deadline) {
      co_return retry_later(openai_error(409, "session_busy",
                                         "The session is still being closed on another "
                                         "connection."),
                            2);
    }
    registry.end(session_id, CloseReason::replaced, "a newer connection took over");
    co_await released->wait_until(std::min(deadline, Clock::now() + std::chrono::seconds(1)));
  }
}

Awaitable<std::variant<std::string, HttpResponse>> RealtimeEndpoint::session_config(
    const RealtimeCall& call, Worker& worker) const {
  if (call.secret_id.empty()) co_return std::string();
  using Secret = std::optional<storage::TranscriptStore::ClientSecret>;
  const auto read = [id = call.secret_id](storage::TranscriptStore& store) {
    return store.client_secret(id);
  };
  auto found = co_await parts_.reader.run<Secret>(worker.executor(), read);
  if (const auto* error = std::get_if<1>(&found)) {
    parts_.log.error("store.read_failed", {{"why", error->what()}});
    co_return openai_error(503, "storage_unavailable",
                           "The session's configuration can not be read.");
  }
  const Secret& secret = std::get<0>(found);
  if (!secret) {
    co_return openai_error(401, "token_expired",
                           "What the client token stands for is gone. Ask for a new one.");
  }
  co_return secret->session_config_json;
}

Awaitable<std::optional<HttpService::Refused>> RealtimeEndpoint::upgrade(HttpRequest request,
                                                                         Transport transport,
                                                                         Worker& worker) const {
  const auto refuse = [&](HttpResponse response) {
    worker.tally().upgrades_refused.add();
    parts_.log.info("upgrade.refused", {{"status", response.status}, {"remote", request.remote}});
    return HttpService::Refused{std::move(transport), std::move(response)};
  };
  auto examined =
      examine_upgrade(request, *parts_.authenticator.get(), parts_.settings.server.allowed_origins,
                      parts_.settings.tls.enabled, now().wall);
  if (auto* refusal = std::get_if<HttpResponse>(&examined)) co_return refuse(std::move(*refusal));
  const RealtimeCall call = std::move(std::get<RealtimeCall>(examined));
  if (const std::string why = parts_.storage.refusal(); !why.empty()) {
    co_return refuse(
        retry_later(openai_error(503, "storage_failure", "No conversation can begin: " + why + "."),
                    storage_retry_seconds));
  }
  auto config = co_await session_config(call, worker);
  if (auto* refusal = std::get_if<HttpResponse>(&config)) co_return refuse(std::move(*refusal));
  if (auto refusal = co_await take_place(call.session_id, worker)) {
    co_return refuse(std::move(*refusal));
  }
  storage::AttemptSpec spec;
  spec.session_id = call.session_id;
  spec.user = call.user;
  spec.metadata = call.metadata_json;
  spec.model = call.model.empty() ? parts_.settings.upstream.model : call.model;
  spec.now = now().wall;
  using Outcome = std::variant<storage::OpenedAttempt, storage::StorageError>;
  const auto start = [this, &spec](auto done) {
    parts_.journal.open_attempt(
        spec, [done](storage::OpenedAttempt opened, const storage::StorageError* error) mutable {
          if (error) {
            done(Outcome(std::in_place_index<1>, *error));
          } else {
            done(Outcome(std::in_place_index<0>, opened));
          }
        });
  };
  const Outcome outcome = co_await from_callback<Outcome>(worker.executor(), start);
  if (const auto* error = std::get_if<storage::StorageError>(&outcome)) {
    parts_.registry.release(call.session_id);
    if (error->failure() == storage::Failure::not_found) {
      co_return refuse(openai_error(404, "session_not_found", "There is no such session."));
    }
    parts_.log.error("session.not_opened", {{"session", call.session_id}, {"why", error->what()}});
    co_return refuse(retry_later(
        openai_error(503, "storage_failure", "The transcript could not be kept; see /readyz."),
        storage_retry_seconds));
  }
  std::exception_ptr bug;
  try {
    co_await converse(call, std::get<0>(outcome), std::move(std::get<std::string>(config)),
                      std::move(request), std::move(transport), worker);
  } catch (...) {
    bug = std::current_exception();  // the session's place must be free again all the same
  }
  parts_.registry.release(call.session_id);
  if (bug) std::rethrow_exception(bug);
  co_return std::nullopt;
}

Awaitable<void> RealtimeEndpoint::converse(const RealtimeCall& call, storage::OpenedAttempt opened,
                                           std::string config, HttpRequest request,
                                           Transport transport, Worker& worker) const {
  const config::Settings& settings = parts_.settings;
  session::SessionOptions options = session_options(settings.session);
  options.created_timeout_ms = settings.upstream.created_timeout.count();
  options.session_config_json = std::move(config);
  session::SessionIdentity identity{call.session_id, opened.attempt, opened.number,
                                    call.extension_events};
  session::RealtimeSession session(std::move(identity), std::move(options), parts_.conversations,
                                   now());

  WebSocketLimits limits;
  limits.message_bytes_max = settings.session.client_message_bytes_max;
  const int descriptor = std::visit(
      [](auto& stream) { return static_cast<int>(socket_of(stream).native_handle()); }, transport);
  std::unique_ptr<Peer> client;
  {
    const Deadline deadline(worker.executor(), settings.server.handshake_timeout,
                            [descriptor] { ::shutdown(descriptor, SHUT_RDWR); });
    client = co_await accept_websocket(std::move(transport), request, call.protocol, limits);
  }
  worker.tally().sessions_opened.add();
  parts_.log.info("session.opened", {{"session", call.session_id},
                                     {"attempt", opened.number},
                                     {"user", call.user},
                                     {"remote", request.remote}});
  if (!client) {
    session.client_gone({false, 0, "gone during the upgrade"}, now());
    session.end(CloseReason::client_lost, "gone during the upgrade", now());
  }
  DriverOptions driver_options;
  driver_options.ping_interval = settings.session.ping_interval;
  driver_options.close_timeout = settings.session.close_timeout;
  driver_options.model = call.model;
  if (parts_.capture) {
    driver_options.capture = parts_.capture->open(call.session_id, opened.number, now().wall);
  }
  SessionDriver driver(worker, std::move(session), parts_.conversations, std::move(client),
                       parts_.upstream, std::move(driver_options), parts_.log);
  if (call.extension_events) {
    constexpr std::int64_t no_resume = 0;
    driver.greet(session::session_event(call.session_id, opened.number, false, no_resume));
  }
  const bool welcome = parts_.registry.attach(call.session_id, worker, driver);
  if (parts_.journal.failed()) {
    driver.end(CloseReason::storage_failure, "the transcript can not be kept");
  } else if (!welcome) {
    driver.end(CloseReason::server_shutdown, "the server is going down");
  }
  co_await driver.run();

  const session::RealtimeSession& done = driver.session();
  worker.tally().session_ended(done.reason(), done.final_transcript().turns);
  worker.tally().client_messages_refused.add(done.refused_client_messages());
  parts_.log.info("session.ended", {{"session", call.session_id},
                                    {"attempt", opened.number},
                                    {"reason", to_string(done.reason())},
                                    {"why", decided_by_client(done.reason()) ? "" : done.why()},
                                    {"turns", done.final_transcript().turns.size()},
                                    {"complete", done.final_transcript().complete}});
}

}  // namespace verbatim::server
