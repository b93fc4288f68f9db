#include "server/app/simulator_service.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <stdexcept>
#include <utility>

#include "base/clock.hpp"
#include "server/net/subprotocols.hpp"
#include "server/net/ws_handshake.hpp"
#include "simulator/audio_append.hpp"

namespace verbatim::app {

namespace {

// A generous limit, as a provider's is.
constexpr std::size_t message_bytes_max = 32 * 1024 * 1024;
constexpr auto patience = std::chrono::seconds(10);

/// One client of the simulated provider: a reader, and a writer that follows the script's timing.
class Conversation {
 public:
  Conversation(std::unique_ptr<net::Peer> peer, simulator::SimulatedConnection script,
               ReceivedEvents& received, const net::Executor& executor)
      : peer_(std::move(peer)),
        script_(std::move(script)),
        received_(received),
        executor_(executor),
        event_(executor),
        loops_(executor) {}

  net::Awaitable<void> run() {
    loops_.enter();
    asio::co_spawn(executor_, read(), [this](std::exception_ptr) {
      gone_ = true;
      event_.notify();
      loops_.leave();
    });
    co_await play();
    peer_->abort();
    co_await loops_.joined();
  }

 private:
  net::Awaitable<void> read() {
    while (true) {
      const net::Received received = co_await peer_->read();
      if (received.kind != net::Received::Kind::message) break;
      if (silent_) continue;
      received_.add(received.bytes);
      script_.on_message(received.bytes, now().mono_ms);
      event_.notify();
    }
  }

  net::Awaitable<error_code> send(const std::string& event, bool binary) {
    const net::Outgoing one{&event, binary ? net::FrameType::binary : net::FrameType::text};
    const net::Sent sent = peer_->send({&one, 1});
    if (!sent.waits) co_return sent.ec;
    co_return co_await peer_->drain();
  }

  net::Awaitable<void> play() {
    while (!gone_) {
      for (simulator::Action& action : script_.take(now().mono_ms)) {
        switch (action.kind) {
          case simulator::Action::Kind::send:
            if (co_await send(action.payload, action.binary)) co_return;
            break;
          case simulator::Action::Kind::close: {
            const net::Deadline deadline(executor_, patience, [this] { peer_->abort(); });
            co_await peer_->close(action.close_code, action.close_reason);
            co_return;
          }
          case simulator::Action::Kind::drop:
            co_return;
          case simulator::Action::Kind::hang:
            silent_ = true;
            break;
        }
        if (gone_) co_return;
      }
      const auto due = silent_ ? std::nullopt : script_.next_due();
      co_await event_.wait_until(due ? net::Clock::time_point(std::chrono::milliseconds(*due))
                                     : net::Clock::time_point::max());
    }
  }

  std::unique_ptr<net::Peer> peer_;
  simulator::SimulatedConnection script_;
  ReceivedEvents& received_;
  net::Executor executor_;
  net::AsyncEvent event_;
  net::JoinCounter loops_;
  bool gone_ = false;
  bool silent_ = false;
};

}  // namespace

ReceivedEvents::ReceivedEvents(const std::filesystem::path& file) {
  if (file.empty()) return;
  file_.open(file, std::ios::binary | std::ios::app);
  if (!file_) throw std::runtime_error("'" + file.string() + "' cannot be written");
}

void ReceivedEvents::add(std::string_view event) {
  if (!file_.is_open() || simulator::is_audio_append(event)) return;
  std::string line(event);
  std::replace(line.begin(), line.end(), '\n', ' ');  // JSON has line breaks only between tokens
  file_ << line << std::endl;
}

SimulatorService::SimulatorService(Setting setting, relay::Worker& worker, Log& log)
    : options_(std::move(setting.options)),
      profile_(simulator::profile_named(options_.profile)),
      checks_upgrade_(setting.checks_upgrade),
      received_(setting.received_file),
      worker_(worker),
      log_(log) {}

/// The refusal of the profile's provider for this request, before a conversation begins.
std::optional<net::HttpResponse> SimulatorService::refusal(const net::HttpRequest& request) const {
  using Key = simulator::Profile::Key;
  if (!checks_upgrade_) return std::nullopt;
  if (request.path != profile_.path) {
    return net::openai_error(404, "not_found",
                             "This provider serves " + std::string(profile_.path));
  }
  for (const std::string_view name : profile_.parameters) {
    if (name.empty() || request.parameter(name)) continue;
    return net::openai_error(400, "missing_required_parameter",
                             "Missing query parameter: '" + std::string(name) + "'.");
  }
  const std::string_view authorization = request.header("Authorization");
  const bool keyed = profile_.key == Key::any ||
                     (profile_.key == Key::bearer && authorization.starts_with("Bearer ")) ||
                     (profile_.key == Key::basic && authorization.starts_with("Basic ")) ||
                     (profile_.key == Key::api_key_header && !request.header("api-key").empty());
  if (!keyed)
    return net::openai_error(401, "invalid_api_key",
                             "The API key is missing or not where this provider expects it.");
  return std::nullopt;
}

net::Awaitable<net::HttpResponse> SimulatorService::answer(net::HttpRequest request) {
  if (request.path == "/healthz") {
    net::HttpResponse healthy;
    healthy.body = R"({"status":"ok"})";
    co_return healthy;
  }
  co_return net::openai_error(404, "not_found", "The simulated provider serves /v1/realtime only.");
}

net::Awaitable<std::optional<net::HttpService::Refused>> SimulatorService::upgrade(
    net::HttpRequest request, net::Transport transport) {
  if (auto refused = refusal(request)) co_return Refused{std::move(transport), *refused};
  const std::string model(request.parameter("model").value_or("gpt-realtime"));
  std::optional<simulator::SimulatedConnection> script;
  std::string fault;
  simulator::Options options = options_;
  const Moment moment = now();
  options.unix_offset_ms = moment.wall - moment.mono_ms;
  if (const auto profile = request.parameter("profile")) options.profile = *profile;
  try {
    script.emplace(options, model, moment.mono_ms);
  } catch (const std::exception& error) {
    fault = error.what();
  }
  if (!script) {
    co_return Refused{std::move(transport), net::openai_error(400, "invalid_model", fault)};
  }
  const bool realtime =
      net::offers(net::offered_subprotocols(request), net::subprotocols::realtime);
  net::WebSocketLimits limits;
  limits.message_bytes_max = message_bytes_max;
  auto peer = co_await net::accept_websocket(
      std::move(transport), request,
      realtime ? std::string(net::subprotocols::realtime) : std::string(), limits);
  if (!peer) co_return std::nullopt;
  log_.debug("simulator.connected", {{"model", model}});
  Conversation conversation(std::move(peer), std::move(*script), received_, worker_.executor());
  co_await conversation.run();
  co_return std::nullopt;
}

}  // namespace verbatim::app
