#include "server/relay/realtime_endpoint.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "server/net/from_callback.hpp"
#include "server/net/ws_handshake.hpp"
#include "server/relay/access/token_content.hpp"
#include "server/relay/access/token_judgement.hpp"
#include "server/relay/access/token_terms.hpp"
#include "server/relay/binary_audio_peer.hpp"
#include "server/relay/client_rejoin.hpp"
#include "server/relay/realtime_refusals.hpp"
#include "session/relay_events.hpp"

namespace verbatim::relay {

namespace {

using transcript::CloseReason;

/// A session's id in the registry, released by the destructor.
class SessionIdPermit {
 public:
  SessionIdPermit(Registry& registry, const std::string& session_id)
      : registry_(registry), session_id_(session_id) {}
  ~SessionIdPermit() { registry_.release(session_id_); }
  SessionIdPermit(const SessionIdPermit&) = delete;
  SessionIdPermit& operator=(const SessionIdPermit&) = delete;

 private:
  Registry& registry_;
  const std::string& session_id_;
};

/// A session may fill 1/journal_queue_shares of the journal's queue before it waits.
constexpr std::size_t journal_queue_shares = 16;
constexpr std::size_t journal_share_min = 64 * 1024;

double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000; }

net::HttpResponse session_moves() {
  return retry_later(net::openai_error(503, "node_unreachable",
                                       "The session moves between relays of the fleet. Try again."),
                     1);
}

access::NotAdmitted use_not_recorded() {
  return {retry_later(
      net::openai_error(503, "storage_failure", "The use of the token cannot be recorded."),
      storage_retry_seconds)};
}

/// Owner of large messages: one user's conversations together, or each conversation of a back end.
std::string owner_of(const access::RealtimeCall& call) {
  return call.by_token && !call.user.empty() ? "user " + call.user : "session " + call.session_id;
}

session::SessionOptions session_options(const config::Settings& all,
                                        transcript::AttemptId attempt) {
  const config::Session& settings = all.session;
  session::SessionOptions options;
  options.idle_timeout_ms = settings.idle_timeout.count();
  options.max_duration_ms = settings.max_duration.count();
  options.ending_notice_ms = settings.ending_notice.count();
  options.created_timeout_ms = all.upstream.created_timeout.count();
  options.slow_client_timeout_ms = settings.slow_client_timeout.count();
  options.transcription_grace_ms = settings.transcription_grace.count();
  options.client_queue_bytes_max = settings.client_queue_bytes_max;
  options.upstream_queue_bytes_max = settings.upstream_queue_bytes_max;
  options.journal_share_bytes =
      std::max(all.journal.queue_bytes_max / journal_queue_shares, journal_share_min);
  options.budget.journal_bytes_per_minute =
      static_cast<std::int64_t>(all.limits.journal_bytes_per_minute);
  options.item_bytes_max = settings.item_bytes_max;
  options.input_transcription = settings.input_transcription;
  options.transcription_model = settings.transcription_model;
  options.extra_client_events = settings.extra_client_events;
  options.resume_window_ms = settings.resume_window.count();
  options.resume_buffer_bytes_max = settings.resume_buffer_bytes_max;
  options.open_answers_bytes_max = settings.open_answers_bytes_max;
  options.reconnect.attempts_max = static_cast<int>(all.upstream.reconnect_attempts_max);
  options.reconnect.pause_min_ms = all.upstream.reconnect_pause_min.count();
  options.reconnect.pause_max_ms = all.upstream.reconnect_pause_max.count();
  options.reconnect.seed = static_cast<std::uint32_t>(attempt);
  options.rotate_after_ms = all.upstream.rotate_after.count();
  return options;
}

/// Owner of journaled bytes. A back end with its own key may act for many people: there each
/// session id is an owner, for all attempts of the session.
std::string journal_owner(const access::RealtimeCall& call) {
  return call.by_token ? "user " + call.user : "session " + call.session_id;
}

}  // namespace

RealtimeEndpoint::Step<RealtimeEndpoint::Admitted> RealtimeEndpoint::admit_session(
    const access::RealtimeCall& call, Worker& worker) const {
  Registry& registry = parts_.registry;
  const std::string& session_id = call.session_id;
  const bool resumes = parts_.settings.get()->session.resume_window.count() > 0;
  const auto deadline = net::Clock::now() + 3 * parts_.settings.get()->session.close_timeout;
  while (true) {
    const auto changed = registry.watch(session_id, worker.executor());
    switch (registry.admit(session_id, call.user)) {
      case Admission::admitted:
        co_return Admitted::begins;
      case Admission::draining:
        co_return access::not_admitted(retry_later(
            net::openai_error(503, "server_shutting_down", "The relay is restarting; come back."),
            2));
      case Admission::full:
        co_return access::not_admitted(
            retry_later(net::openai_error(503, "too_many_sessions",
                                          "The relay has as many sessions as it admits "
                                          "(session.sessions_max)."),
                        10),
            access::AdmissionLimit::sessions);
      case Admission::busy:
        break;
    }
    const auto user = registry.user_of(session_id);
    if (!user) continue;  // it has just been released
    if (*user != call.user) {
      co_return access::not_admitted(no_such_session());
    }
    if (net::Clock::now() >= deadline) {
      co_return access::not_admitted(
          retry_later(net::openai_error(409, "session_busy",
                                        "The session is still being closed on another "
                                        "connection."),
                      2));
    }
    // Two connections of one session: the newer one wins.
    if (!resumes) {
      registry.end(session_id, CloseReason::replaced, "a newer connection took over");
    } else if (co_await registry.goes_on(session_id, worker.executor())) {
      co_return Admitted::joins;
    }
    // It is being opened or closed.
    co_await changed->wait_until(std::min(deadline, net::Clock::now() + std::chrono::seconds(1)));
  }
}

net::Awaitable<bool> RealtimeEndpoint::note_use(const access::RealtimeCall& call,
                                                Worker& worker) const {
  const bool noted = call.token && !call.token->id.empty() && call.token->session_open &&
                     call.token->session_id != call.session_id;
  if (!noted) co_return true;
  const auto start = [&](auto done) {
    parts_.store.note_token_use(call.token->id, call.session_id, done);
  };
  const auto outcome = co_await net::from_callback<store::StoreResult<>>(worker.executor(), start);
  if (!outcome) parts_.log.error("client_secret.use_not_noted", {{"why", outcome.error().what()}});
  co_return outcome.has_value();
}

net::Awaitable<std::optional<net::HttpService::Refused>> RealtimeEndpoint::upgrade(
    net::HttpRequest request, net::Transport transport, Worker& worker) const {
  const auto refuse = [&](access::NotAdmitted refusal) {
    if (refusal.limit) worker.tally().not_admitted(*refusal.limit);
    worker.tally().upgrades_refused.add();
    return net::HttpService::Refused{std::move(transport), std::move(refusal.response)};
  };
  auto examined = co_await examine(request, worker);
  if (!examined) co_return refuse(std::move(examined).error());
  if (examined->elsewhere) {
    auto carried =
        co_await carry(*std::move(examined), std::move(request), std::move(transport), worker);
    if (!carried.here) co_return std::move(carried.refused);
    // Its node is gone: the session goes on here, as one of this node's.
    request = std::move(carried.here->request);
    transport = std::move(carried.here->client);
    examined = co_await examine(request, worker);
    if (!examined) co_return refuse(std::move(examined).error());
    if (examined->elsewhere) co_return refuse({session_moves()});
  }
  const access::RealtimeCall& call = examined->call;
  auto admitted = co_await admit_session(call, worker);
  if (!admitted) co_return refuse(std::move(admitted).error());
  if (*admitted == Admitted::joins) {
    if (!co_await note_use(call, worker)) co_return refuse(use_not_recorded());
    co_await join(call, request, std::move(transport), worker);
    co_return std::nullopt;
  }
  const SessionIdPermit place(parts_.registry, call.session_id);
  auto permits = co_await take_permits(call, worker);
  if (!permits) co_return refuse(std::move(permits).error());
  auto begun = co_await begin(call, examined->token, worker);
  if (!begun) co_return refuse(std::move(begun).error());
  co_await run_conversation(*examined, *std::move(begun), permits->user.account, std::move(request),
                            std::move(transport), worker);
  co_return std::nullopt;
}

RealtimeEndpoint::Step<RealtimeEndpoint::Permits> RealtimeEndpoint::take_permits(
    const access::RealtimeCall& call, Worker& worker) const {
  if (const auto wait_s = parts_.journal_shares.wait_s(journal_owner(call), now().mono_ms)) {
    co_return access::not_admitted(
        retry_later(net::openai_error(429, "journal_bytes_spent",
                                      "This user has written the minute's allowance to the journal "
                                      "(limits.journal_bytes_per_minute)."),
                    static_cast<int>(wait_s)),
        access::AdmissionLimit::journal_bytes);
  }
  auto descriptors =
      parts_.descriptors.take(net::Descriptors::of_a_conversation +
                              (parts_.recordings ? Recordings::files_of_a_session : 0));
  if (!descriptors) {
    co_return access::not_admitted(too_few_descriptors(), access::AdmissionLimit::descriptors);
  }
  const access::UserSessions sessions{call.user, call.by_token,
                                      parts_.suspended.others_of(call.user, call.session_id)};
  auto user = co_await parts_.admission_control.admit(sessions, now().wall, parts_.store,
                                                      worker.executor());
  if (!user) co_return tl::unexpected(std::move(user).error());
  co_return Permits{*std::move(descriptors), *std::move(user)};
}

net::Awaitable<void> RealtimeEndpoint::join(const access::RealtimeCall& call,
                                            const net::HttpRequest& request,
                                            net::Transport transport, Worker& worker) const {
  auto client = co_await accept(call, request, std::move(transport), worker);
  if (!client) co_return;
  co_await rejoin(parts_.registry, call.session_id,
                  {std::move(client),
                   {call.after, call.extension_events, call.dialect},
                   call.credential_id,
                   request.remote,
                   request.id},
                  parts_.revocations, worker, parts_.settings.get()->session.close_timeout);
}

net::Awaitable<void> RealtimeEndpoint::run_conversation(
    Examined& examined, Begun begun, std::shared_ptr<access::UserAccount> account,
    net::HttpRequest request, net::Transport transport, Worker& worker) const {
  const access::RealtimeCall& call = examined.call;
  const transcript::AttemptId attempt = begun.opened.attempt;
  try {
    // The attempt goes on even if the token's use cannot be stored.
    co_await note_use(call, worker);
    auto client = co_await accept(call, request, std::move(transport), worker);
    worker.tally().sessions_opened.add();
    auto driver = driver_for(call, std::move(begun), std::move(examined.token), std::move(account),
                             std::move(client), worker);
    parts_.log.info("session.opened", {{"session", call.session_id},
                                       {"attempt", driver->session().identity().attempt_number},
                                       {"user", call.user},
                                       {"remote", request.remote},
                                       {"request", request.id},
                                       {"trace_id", driver->trace_id()}});
    request = {};  // free the request: this coroutine frame lives as long as the session
    co_await converse(call, std::move(driver), worker);
  } catch (...) {
    // An exception before or after the conversation. Only the first ending of an attempt counts.
    parts_.journal.close(attempt, {CloseReason::upstream_error, now().wall, {}});
    throw;
  }
}

RealtimeEndpoint::Step<RealtimeEndpoint::Begun> RealtimeEndpoint::begin(
    const access::RealtimeCall& call, const Token& token, Worker& worker) const {
  const auto unkept = [this, &call](const store::StorageError& error) {
    parts_.log.error("session.not_opened", {{"session", call.session_id}, {"why", error.what()}});
    return access::not_admitted(
        retry_later(net::openai_error(503, "storage_failure",
                                      "The transcript could not be saved; see /readyz."),
                    storage_retry_seconds));
  };
  auto left = co_await parts_.suspended.take_up(worker.executor(), call.session_id, call.user);
  if (!left) co_return unkept(left.error());
  if (*left) {
    Begun begun;
    begun.opened = (*left)->opened;
    begun.taken = *std::move(left);
    co_return std::move(begun);
  }
  const bool expired = call.token && call.token->expires_at_s * 1000 <= now().wall;
  if (expired) co_return not_authorized(access::expired_token());
  store::AttemptSpec spec;
  spec.session_id = call.session_id;
  spec.user = call.user;
  spec.metadata = call.metadata_json;
  spec.private_metadata = token.private_json;
  // A transcription session has no model.
  if (!call.transcription)
    spec.model = call.model.empty() ? parts_.settings.get()->upstream.model : call.model;
  spec.now = now().wall;
  const auto start = [&](auto done) { parts_.store.open_attempt(std::move(spec), done); };
  const auto opened = co_await net::from_callback<store::StoreResult<store::OpenedAttempt>>(
      worker.executor(), start);
  if (opened) co_return Begun{*opened, std::nullopt};
  if (opened.error().failure() == store::Failure::not_found)
    co_return access::not_admitted(no_such_session());
  co_return unkept(opened.error());
}

net::Awaitable<std::unique_ptr<net::Peer>> RealtimeEndpoint::accept(
    const access::RealtimeCall& call, const net::HttpRequest& request, net::Transport transport,
    Worker& worker) const {
  const auto in_force = parts_.settings.get();
  const config::Settings& settings = *in_force;
  net::WebSocketLimits limits;
  limits.message_bytes_max = settings.session.client_message_bytes_max;
  limits.large = &parts_.large_messages;
  limits.large_owner = owner_of(call);
  limits.large_timeout = settings.server.large_message_timeout;
  const int descriptor = transport.socket().native_handle();
  const net::Deadline deadline(worker.executor(), settings.server.handshake_timeout,
                               [descriptor] { ::shutdown(descriptor, SHUT_RDWR); });
  // Limit the unsent bytes in the kernel. The rest stays in our queue, where it is counted and can
  // be sent again on another connection.
  const int waiting_bytes_max = 32 * 1024;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &waiting_bytes_max,
               sizeof waiting_bytes_max);
  auto client =
      co_await net::accept_websocket(std::move(transport), request, call.protocol, limits);
  if (client) parts_.requests.answered(request.path, 101);
  if (client && call.binary_audio)
    client = std::make_unique<BinaryAudioPeer>(std::move(client), parts_.upstream.dialect());
  co_return client;
}

std::unique_ptr<SessionDriver> RealtimeEndpoint::driver_for(
    const access::RealtimeCall& call, Begun begun, Token token,
    std::shared_ptr<access::UserAccount> account, std::unique_ptr<net::Peer> client,
    Worker& worker) const {
  const auto in_force = parts_.settings.get();
  const config::Settings& settings = *in_force;
  const store::OpenedAttempt& opened = begun.opened;
  session::SessionOptions options = session_options(settings, opened.attempt);
  options.provider = &parts_.upstream.dialect();
  options.session_config_json = std::move(token.session_config_json);
  options.model = call.model;
  options.transcription = call.transcription;
  options.users_usage = std::move(account);
  auto part = parts_.journal_shares.open(journal_owner(call), now().mono_ms);
  options.budget.shared_journal = std::move(part.journal);
  options.users_pace = std::move(part.pace);
  options.secrets = secrets_;
  const auto observer =
      observe(parts_.observers, call, opened, begun.taken.has_value(), settings.upstream.model);
  options.observer = observer;
  access::apply_terms(settings, token.terms_json, options);
  if (parts_.recordings && access::is_recorded(settings.recording, token.terms_json))
    options.recording = parts_.recordings->open(call.session_id, opened.number);
  const bool recording = options.recording != nullptr;
  session::SessionIdentity identity{call.session_id,       opened.attempt, opened.number,
                                    call.extension_events, call.dialect,   opened.started_at};
  session::RealtimeSession session(std::move(identity), std::move(options), parts_.journal, now());
  if (begun.taken) {
    session.take_up(std::move(begun.taken->transcript),
                    protocol::SessionSettings::from_json(std::move(begun.taken->settings_json)),
                    now());
    session.client_returned({call.after, call.extension_events, call.dialect}, now());
  }
  if (!begun.taken) {  // a resumed conversation has its own
    session.spill_to(parts_.store.new_spill(), settings.session.items_in_memory);
  }
  if (!client) {
    session.client_gone({false, 0, "gone during the upgrade"}, now());
    if (!begun.taken) session.end(CloseReason::client_lost, "gone during the upgrade", now());
  }
  DriverOptions driver_options;
  driver_options.ping_interval = settings.session.ping_interval;
  driver_options.close_timeout = settings.session.close_timeout;
  driver_options.model = call.model;
  // A separate owner from the clients', whose messages may have to wait for the provider to read.
  driver_options.providers_messages = "provider of " + owner_of(call);
  driver_options.secrets = secrets_;
  driver_options.credential_id = call.credential_id;
  driver_options.observer = observer;
  for (TapSource* const source : parts_.taps) {
    if (source == nullptr) continue;
    auto tap = source->tap({call.session_id, opened.number, now().wall, secrets_});
    if (tap) driver_options.taps.push_back(std::move(tap));
  }
  auto driver =
      std::make_unique<SessionDriver>(worker, std::move(session), parts_.journal, std::move(client),
                                      parts_.upstream, std::move(driver_options), parts_.log);
  if (call.extension_events && !begun.taken) {
    driver->queue_first(session::session_event(
        call.session_id, opened.number, settings.session.resume_window.count(), {}, recording));
  }
  return driver;
}

net::Awaitable<void> RealtimeEndpoint::converse(const access::RealtimeCall& call,
                                                std::unique_ptr<SessionDriver> driver,
                                                Worker& worker) const {
  const bool welcome = parts_.registry.attach(call.session_id, worker, *driver);
  if (parts_.revocations.contains(call.credential_id))
    driver->credential_revoked(call.credential_id);
  if (parts_.journal.failed()) {
    driver->end(CloseReason::storage_failure, "the transcript cannot be saved");
  } else if (!welcome && (parts_.peers != nullptr ||
                          parts_.settings.get()->server.restart == config::Restart::handover)) {
    driver->suspend("the relay is restarting; come back");
  } else if (!welcome) {
    driver->end(CloseReason::server_shutdown, "the relay is shutting down");
  }
  co_await driver->run();
  report_end(call, *driver, worker);
}

void RealtimeEndpoint::report_end(const access::RealtimeCall& call, const SessionDriver& driver,
                                  Worker& worker) const {
  const session::RealtimeSession& done = driver.session();
  const auto attempt = done.identity().attempt_number;
  if (done.suspended()) {
    parts_.log.info(
        "session.suspended",
        {{"session", call.session_id}, {"attempt", attempt}, {"trace_id", driver.trace_id()}});
    return;
  }
  const auto& outcome = done.outcome();
  worker.tally().session_ended(done.reason(), outcome);
  worker.tally().session_used(outcome.used, done.budget());
  parts_.log.info("session.ended",
                  {{"session", call.session_id},
                   {"attempt", attempt},
                   {"reason", transcript::to_string(done.reason())},
                   {"why", transcript::detail_from_client(done.reason()) ? "" : done.why()},
                   {"turns", outcome.turns},
                   {"complete", outcome.complete},
                   {"input_tokens", outcome.used.input_tokens},
                   {"output_tokens", outcome.used.output_tokens},
                   {"seconds", seconds(now().wall - done.identity().started_at)},
                   {"input_audio_seconds", seconds(outcome.used.input_audio_ms)},
                   {"output_audio_seconds", seconds(outcome.used.output_audio_ms)},
                   {"trace_id", driver.trace_id()}});
}

}  // namespace verbatim::relay
