#include "server/app/app.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <csignal>
#include <cstring>
#include <thread>

#include "config/secrets.hpp"
#include "server/api/live_feed.hpp"
#include "server/api/routes.hpp"
#include "server/app/credentials.hpp"
#include "server/app/data_dir.hpp"
#include "server/app/default_provider.hpp"
#include "server/app/fleet_peers.hpp"
#include "server/app/fleet_reads.hpp"
#include "server/app/fleet_shipping.hpp"
#include "server/app/forward_before_commit.hpp"
#include "server/app/heartbeat.hpp"
#include "server/app/process.hpp"
#include "server/app/relay_service.hpp"
#include "server/app/reload.hpp"
#include "server/app/shutdown.hpp"
#include "server/app/simulator_app.hpp"
#include "server/app/store_start.hpp"
#include "server/bucket/uploads.hpp"
#include "server/net/answer_memory.hpp"
#include "server/net/large_messages.hpp"
#include "server/net/listener.hpp"
#include "server/net/proxies.hpp"
#include "server/net/request_counts.hpp"
#include "server/net/tls.hpp"
#include "server/relay/access/configured_secrets.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "server/relay/journal_shares.hpp"
#include "server/relay/metrics.hpp"
#include "server/relay/recordings.hpp"
#include "server/relay/session_ender.hpp"
#include "server/relay/session_eraser.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/repair/repairs.hpp"
#include "server/traces/tracer.hpp"
#include "server/webhooks/dispatcher.hpp"
#include "session/protocol/secret_filter.hpp"
#include "storage/store/store.hpp"

namespace verbatim::app {

namespace {

/// Interval of the checks of the disk's free space and the journal's progress.
constexpr auto storage_look_interval = std::chrono::milliseconds(250);

/// Interval of the state that the service manager shows.
constexpr int looks_between_states = 40;

std::size_t worker_count(int configured) {
  if (configured > 0) return static_cast<std::size_t>(configured);
  return std::max(1u, std::thread::hardware_concurrency());
}

/// The data directory, if it is whole: a refused start changes nothing, neither a lock nor a secret
/// nor a certificate.
const std::filesystem::path& whole_data_dir(const config::Settings& settings) {
  StoreStart::require_whole(settings);
  return settings.server.data_dir;
}

std::string counted(std::size_t sessions) {
  return std::to_string(sessions) + (sessions == 1 ? " conversation" : " conversations");
}

/// Sockets that a service manager has bound replace the configured addresses. Returns whether there
/// are any.
bool take_addresses(App::Options& options) {
  const ServiceManager::Sockets& sockets = options.sockets;
  if (sockets.clients >= 0)
    options.settings.server.listen = net::address_of_passed(sockets.clients);
  if (sockets.metrics >= 0)
    options.settings.metrics.listen = net::address_of_passed(sockets.metrics);
  return sockets.clients >= 0 || sockets.metrics >= 0;
}

using Workers = std::vector<std::unique_ptr<relay::Worker>>;

}  // namespace

struct App::Parts {
  explicit Parts(Options given)
      : options(std::move(given)),
        settings(options.settings),
        configured(settings),
        passed(take_addresses(options)),
        in_force(std::make_shared<const config::Settings>(settings)),
        hidden(std::make_shared<protocol::SecretFilter>(access::secrets_of(settings))),
        id_guard(settings),
        log(settings.log, access::redaction_of(hidden)),
        service_manager(options.service_manager, log),
        last_resort(log),
        data_dir(whole_data_dir(settings)),
        workers_wanted(worker_count(settings.server.threads)),
        metrics(workers_wanted),
        feed(in_force),
        journal_shares(settings.limits),
        registry(settings.session.sessions_max),
        admission_control(settings.limits),
        credentials(settings, data_dir, registry, revocations, feed, log),
        tls(nullptr),
        storage_watch(
            in_force, settings.server.data_dir, workers, registry, log, [this] { give_up(); },
            [this] { catch_up(); }),
        store_start(settings, data_dir.database(), storage_watch, log) {
    if (!settings.server.core_dumps && forbid_dumps() != 0)
      log.warn("process.dumpable", {{"why", std::strerror(errno)}});
    warn_of(settings);
    raise_file_limit();
    for (std::size_t i = 0; i < workers_wanted; ++i) {
      workers.push_back(std::make_unique<relay::Worker>(metrics.tally(i)));
    }
    service_manager.starting("Starting: opening the store and recovering the journal.");
    store = store_start.open();
    storage_watch.watch(*store);
    storage_watch.look();
    feed.start(*workers.front(), store->journal(), *store, log);
    if (settings.testing.forward_before_commit) {  // for tests that must fail without write-ahead
      require_safe_testing(settings);
      forwarding = promise_nothing(store->journal(), log);
    }
    transcript::Journal& conversations =
        fleet_shipping.begin(settings, *store, forwarding ? *forwarding : store->journal(),
                             storage_watch, registry, log);
    provider = provider_if_none(settings, control.get_executor(), log);
    begin_tracing();
    webhooks = std::make_unique<webhooks::Webhooks>(settings.webhook, *store, &tracer, log);
    in_force.set(std::make_shared<const config::Settings>(settings));
    if (!settings.capture.dir.empty())
      capture = std::make_unique<relay::Capture>(settings.capture.dir, settings.capture.start);
    recordings = relay::Recordings::open_if_any(settings, log);
    suspended = std::make_unique<relay::SuspendedSessions>(*store, store->journal(), registry,
                                                           settings.session.resume_window,
                                                           settings.session.items_in_memory, log);
    suspended->expect(store_start.waiting());
    ender = std::make_unique<relay::SessionEnder>(registry, *suspended);
    erasure = std::make_unique<relay::Erasure>(
        *store, registry, *suspended, capture.get(), 3 * settings.session.close_timeout,
        settings.session.resume_window, log, recordings.get());
    repairs = repair::Repairs::start_if_any(settings.repair, {*store, *store, *store, *store},
                                            recordings.get(), log);
    if (repairs) erasure->hold_first(*repairs);
    uploads = bucket::Uploads::start_if_any(settings, *store, recordings.get(), log);
    if (uploads) erasure->erase_there(*uploads);
    if (uploads && recordings) recordings->keep_elsewhere(*uploads);
    if (!options.directory)
      options.directory = fleet_shipping.directory(
          {settings.fleet, *store, registry, *suspended, *erasure, credentials, log});
    fleet.begin(in_force, credentials.authenticator(), std::move(options.directory), log);
    net::WebSocketLimits limits;
    limits.large = &large_messages;
    limits.large_timeout = settings.server.large_message_timeout;
    upstream = std::make_unique<relay::Upstream>(settings.upstream, limits);
    fleet_reads.begin(settings, *store, StoreStart::image_opener(), fleet_shipping, log);
    api::ApiParts for_api{in_force,      credentials.authenticator(),
                          *upstream,     *store,
                          storage_watch, *webhooks,
                          tracer,        *erasure,
                          *ender,        feed,
                          registry,      revocations,
                          metrics,       large_messages,
                          bodies,        requests,
                          id_guard,      answers,
                          capture.get(), log};
    for_api.peers = fleet.get();
    for_api.recordings = recordings.get();
    for_api.repairs = repairs.get();
    for_api.uploads = uploads.get();
    for_api.shared = fleet_reads.shared();
    const api::ApiStores stores{fleet_reads.sessions(*store), *store, *store, *store, *store};
    api = std::make_unique<api::Api>(for_api, stores);
    realtime = std::make_unique<relay::RealtimeEndpoint>(
        relay::RealtimeParts{in_force,         credentials.authenticator(),
                             *upstream,        *store,
                             conversations,    storage_watch,
                             registry,         revocations,
                             *suspended,       admission_control,
                             journal_shares,   descriptors,
                             large_messages,   requests,
                             id_guard,         relay::TapSources{capture.get()},
                             recordings.get(), &tracer,
                             fleet.get(),      log});
    listen();
    make_reloader();
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals.add(signal);
  }

  ~Parts() {
    end_workers();
    fleet_shipping.finish(std::chrono::milliseconds(0));
    capture.reset();  // an erasure that it has begun goes on in the store
    store.reset();
  }

  /// All sessions have ended or were aborted; the workers hold only idle connections now.
  void end_workers() {
    provider.reset();
    for (const auto& worker : workers) worker->join();
    if (repairs) repairs->stop();
    if (uploads) uploads->stop();
    if (recordings) recordings->finish();
    fleet.finish();
    fleet_reads.finish();
    webhooks.reset();
  }

  /// Closes what is left when serving has ended. Returns the exit code.
  int close() {
    end_workers();
    fleet_shipping.finish(shutdown_times.to_flush(net::Clock::now()) / 2);
    // All acknowledged data is durable; the rest of an orderly end must not block for ever.
    const auto patience = shutdown_times.to_flush(net::Clock::now());
    const bool held =
        store->state() == store::JournalState::unavailable && store->queue_bytes() > 0;
    if (!store->shut_down(patience)) {
      log.error("journal.not_closed", {{"why", "the disk does not answer"},
                                       {"now", "the next start recovers the journal"}});
      std::_Exit(1);  // the writer's thread cannot be joined
    }
    const int code = held || store->journal().failed() ? 1 : exit_code;
    last_resort.journal_closed(code);
    tracer.hurry(shutdown_times.to_flush(net::Clock::now()));
    return code;
  }

  /// Logs warnings about settings that are accepted but should be changed.
  void warn_of(const config::Settings& from) {
    for (const std::string& warning : from.warnings) log.warn("config", {{"warning", warning}});
    if (!from.auth.token_secret.empty()) return;
    const std::string made = config::secret_file_warning(data_dir.token_secret_file());
    if (!made.empty()) log.warn("config", {{"warning", "the token secret: " + made}});
  }

  void begin_tracing() {
    tracer.use(traces::Tracer::setup(settings.trace, settings.upstream.url));
    tracer.recovered(store_start.recovered());
  }

  void listen() {
    if (settings.tls.enabled)
      use_certificate(net::server_context(certificate_files(settings.tls, data_dir)), tls,
                      metrics.connection_counts());
    net::HttpLimits limits = net::http_limits(settings.server);
    limits.bodies = &bodies;
    std::vector<net::Target> targets;
    const bool own_metrics = !settings.metrics.listen.host.empty();
    for (const auto& worker : workers) {
      services.push_back(
          std::make_unique<RelayService>(*api, *realtime, *worker, fleet.get(), !own_metrics));
      targets.push_back(net::Target{worker->executor(), services.back().get()});
    }
    listener = std::make_unique<net::Listener>(control.get_executor(), settings.server.listen,
                                               settings.tls.enabled ? &tls : nullptr, limits,
                                               net::connection_limits(settings.server),
                                               std::move(targets), log, options.sockets.clients);
    listener->share(descriptors, metrics.connection_counts());
    descriptors.begin();
    if (!own_metrics) return;
    services.push_back(std::make_unique<MetricsService>(*api, *workers.front()));
    metrics_listener = std::make_unique<net::Listener>(
        control.get_executor(), settings.metrics.listen, nullptr, limits,
        net::connection_limits(settings.server),
        std::vector<net::Target>{{workers.front()->executor(), services.back().get()}}, log,
        options.sockets.metrics);
  }

  void make_reloader() {
    const Listeners listeners{tls, metrics.connection_counts(), *listener, metrics_listener.get()};
    const SharedMemory memory{bodies, answers, large_messages};
    const Outside outside{*upstream, provider != nullptr, *webhooks, tracer};
    const ReloadParts parts{in_force,  data_dir, *hidden,  id_guard,          credentials,
                            listeners, outside,  registry, admission_control, journal_shares,
                            *erasure,  memory,   *api,     *realtime,         log};
    reloader = std::make_unique<Reloader>(parts, options.sources, std::move(configured));
  }

  // --- the journal's thread -----------------------------------------------------------------
  void give_up() {
    asio::post(control, [this] {
      exit_code = 1;
      signals.cancel();
    });
  }

  /// The disk has room again. Redoes what was skipped or read incompletely before.
  void catch_up() {
    asio::post(control, [this] {
      if (!store_start.catch_up()) return;
      suspended->expect(store_start.waiting());
      asio::co_spawn(control, suspended->end_those_left(control.get_executor()), asio::detached);
      storage_watch.caught_up();
      webhooks->announce();
      tracer.recovered(store_start.recovered());
    });
  }

  // --- the control thread -------------------------------------------------------------------
  net::Awaitable<void> watch_storage() {
    net::Timer timer(control.get_executor());
    for (int looks = 1; true; ++looks) {
      timer.expires_after(storage_look_interval);
      co_await timer.async_wait(net::use_tuple);
      storage_watch.look();
      log.report_left_out(net::Clock::now());
      if (looks % looks_between_states == 0 && !registry.draining())
        service_manager.status(state_in_words());
    }
  }

  std::string state_in_words() const {
    const std::string refusal = storage_watch.refusal();
    if (!refusal.empty()) return "No new conversation is admitted: " + refusal + ".";
    return "Serving " + listener->url() + ": " + counted(registry.live()) + ".";
  }

  Heartbeat heartbeat() {
    std::vector<net::Executor> executors;
    for (const auto& worker : workers) executors.push_back(worker->executor());
    return {std::move(executors), [this] { return store->writer_steps(); }};
  }

  net::Awaitable<void> revoke_tokens_of_removed_keys() {
    return credentials.revoke_tokens_of_removed_keys(control.get_executor(), *store,
                                                     settings.journal.stuck_commit);
  }

  net::Awaitable<void> serve() {
    co_await revoke_tokens_of_removed_keys();
    asio::co_spawn(control.get_executor(), watch_storage(), asio::detached);
    asio::co_spawn(control.get_executor(),
                   erasure->keep_for_retention(control.get_executor(), in_force), asio::detached);
    asio::co_spawn(control.get_executor(), suspended->end_those_left(control.get_executor()),
                   asio::detached);
    if (recordings) recordings->keep(control.get_executor(), *store, *store);
    fleet_reads.take_left_copies(control.get_executor());
    listener->start();
    if (metrics_listener) metrics_listener->start();
    log.info("server.ready",
             {{"url", listener->url()},
              {"public_url", settings.server.public_url},
              {"data_dir", settings.server.data_dir.string()},
              {"socket", passed ? "passed by the service manager" : "bound"},
              {"upstream", provider ? "simulated" : shown_address(settings.upstream.url)},
              {"development", credentials.authenticator().get()->development()},
              {"threads", workers.size()}});
    write_ready_file(options.ready_file, listener->url());
    service_manager.ready(state_in_words());
    if (service_manager.alive_interval().count() > 0)
      asio::co_spawn(control.get_executor(),
                     prove_life(control.get_executor(), heartbeat(), service_manager, log),
                     asio::detached);
    while (exit_code == 0) {
      const auto [ec, signal] = co_await signals.async_wait(net::use_tuple);
      if (ec || signal != SIGHUP) break;
      reload();
    }
    co_await stop();
    control.stop();
  }

  void reload() {
    service_manager.reloading();
    try {
      const config::Reloaded done = reloader->run();
      asio::co_spawn(control.get_executor(), revoke_tokens_of_removed_keys(), asio::detached);
      warn_of(done.settings);
      reloader->report(done);
    } catch (const std::exception& error) {
      log.error("server.not_reloaded", {{"why", error.what()}});
    }
    service_manager.ready(state_in_words());
  }

  /// Ends all conversations, and everything that waits for them.
  net::Awaitable<void> stop() {
    const bool failed = store->journal().failed();
    const config::Server server = in_force.get()->server;
    const bool handover = !failed && (fleet.get() || server.restart == config::Restart::handover);
    shutdown_times = ShutdownTimes::within(server.shutdown_grace, net::Clock::now());
    last_resort.arm(shutdown_times.end_at);
    log.info("server.draining", {{"sessions", registry.live()}});
    service_manager.stopping(std::string("Stopping: ") + counted(registry.live()) +
                             (handover ? " go on in the next process." : " end."));
    listener->stop();
    if (metrics_listener) metrics_listener->stop();
    fleet.stop();
    if (!failed && !handover)
      co_await suspended->end_recovering(control.get_executor(), shutdown_times.half_way());
    if (failed) {
      registry.drain(transcript::CloseReason::storage_failure, "the transcript cannot be saved");
    } else if (handover) {
      registry.drain_to_next("the relay is restarting; come back");
    } else {
      registry.drain(transcript::CloseReason::server_shutdown, "the relay is shutting down");
    }
    co_await drain({control.get_executor(), signals, registry, *listener, feed, workers},
                   shutdown_times);
    log.report_left_out(net::Clock::time_point::max());
    log.info("server.stopped", {{"sessions_left", registry.live()}});
  }

  Options options;
  config::Settings& settings;   ///< at the start, with the provider that was chosen
  config::Settings configured;  ///< as they were read
  const bool passed;            ///< the service manager has bound sockets
  config::LiveSettings in_force;
  std::shared_ptr<protocol::SecretFilter>
      hidden;  ///< secrets of the configuration, hidden in the log
  access::IdGuard id_guard;
  Log log;
  ServiceManager service_manager;
  ShutdownTimes shutdown_times{};
  LastResort last_resort;  ///< outlives everything that may hang at the end
  DataDir data_dir;
  asio::io_context control{1};
  /// Destroyed last, so that a second signal during shutdown does not kill the process.
  Signals signals{control.get_executor()};
  std::size_t workers_wanted;
  relay::Metrics metrics;
  net::Descriptors descriptors;  ///< before the workers: their connections return descriptors
  net::LargeMessages large_messages{large_bytes_max(settings), largest_message(settings),
                                    net::small_message_bytes_max + net::FrameReader::granted_step};
  net::BodyMemory bodies{settings.server.bodies_bytes_max, settings.server.body_bytes_max};
  net::RequestCounts requests{api::route_patterns()};
  net::AnswerMemory answers{
      settings.server.answers_bytes_max};  ///< before the workers: their answers hold shares
  api::LiveFeed feed;  ///< before the workers: subscribers leave it when workers are destroyed
  traces::Tracer tracer{log};           ///< before the workers: their sessions make spans
  relay::JournalShares journal_shares;  ///< before the workers: their sessions hold shares
  std::unique_ptr<relay::Recordings> recordings;  ///< before the workers: their sessions hold files
  FleetPeers fleet;  ///< before the workers: they carry its connections
  Workers workers;
  relay::Registry registry;
  access::Revocations revocations;
  access::AdmissionControl admission_control;
  Credentials credentials;
  net::ServerTls tls;
  relay::StorageWatch storage_watch;
  StoreStart store_start;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<repair::Repairs> repairs;
  std::unique_ptr<bucket::Uploads> uploads;
  std::unique_ptr<transcript::Journal> forwarding;  ///< testing.forward_before_commit; else null
  FleetShipping fleet_shipping;
  FleetReads fleet_reads;
  std::unique_ptr<webhooks::Webhooks> webhooks;
  std::unique_ptr<BuiltInProvider> provider;
  std::unique_ptr<relay::Upstream> upstream;
  std::unique_ptr<relay::Capture> capture;
  std::unique_ptr<relay::SuspendedSessions> suspended;
  std::unique_ptr<relay::SessionEnder> ender;
  std::unique_ptr<relay::Erasure> erasure;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<relay::RealtimeEndpoint> realtime;
  std::vector<std::unique_ptr<net::HttpService>> services;
  std::unique_ptr<net::Listener> listener;
  std::unique_ptr<net::Listener> metrics_listener;
  std::unique_ptr<Reloader> reloader;
  int exit_code = 0;
};

void App::hold_reloads() { set_signal_mask(SIG_BLOCK, {SIGHUP}); }

App::App(Options options) : parts_(std::make_unique<Parts>(std::move(options))) {
  set_signal_mask(SIG_UNBLOCK, {SIGHUP});
}

App::~App() {
  // Our handlers work until the signal set is destroyed. After that, until the process exits, a
  // signal would kill it and hide the exit code.
  set_signal_mask(SIG_BLOCK, {SIGTERM, SIGINT, SIGHUP});
}

int App::run() {
  asio::co_spawn(parts_->control.get_executor(), parts_->serve(), [](std::exception_ptr bug) {
    if (bug) std::rethrow_exception(bug);
  });
  parts_->control.run();
  return parts_->close();
}

}  // namespace verbatim::app
