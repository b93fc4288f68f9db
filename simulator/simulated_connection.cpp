#include "simulator/simulated_connection.hpp"

#include <algorithm>
#include <utility>

#include "simulator/emitter.hpp"
#include "simulator/faults.hpp"
#include "simulator/ids.hpp"
#include "simulator/live_session.hpp"
#include "simulator/outgoing.hpp"
#include "simulator/recording_player.hpp"

namespace verbatim::simulator {

namespace {

constexpr const char* expired = "Your session hit the maximum duration of 60 minutes.";
constexpr const char* default_model = "gpt-realtime";

Faults faults_of(const Options& options, const ModelName& model) {
  Faults faults;
  faults.add(options.faults);
  faults.add(model.faults);
  return faults;
}

Pace pace_of(const Options& options, const Faults& faults) {
  if (faults.slow == 0) return Pace(options.pace);
  return Pace((options.pace == 0 ? 1 : options.pace) * faults.slow);
}

/// A different seed for the ids of each connection, so that a second connection of a session does
/// not repeat ids. The text depends only on `seed`.
std::uint64_t id_seed(std::uint64_t seed, std::int64_t now_ms) {
  return Random(seed ^ static_cast<std::uint64_t>(now_ms) << 16U).next();
}

}  // namespace

struct SimulatedConnection::State {
  State(const Options& options, const ModelName& model, std::int64_t now_ms)
      : faults(faults_of(options, model)),
        unix_offset_ms(options.unix_offset_ms),
        ids(id_seed(options.seed, now_ms)),
        outgoing(faults, options.seed),
        profile(profile_named(faults.profile.empty() ? options.profile : faults.profile)),
        emitter(outgoing, ids, profile, faults, options.seed),
        last_ms(now_ms) {
    auto recording = find_recording(options.recordings_dir, model.name);
    if (!recording || faults.expire_after_ms) {
      expires_ms = now_ms + faults.expire_after_ms.value_or(profile.session_ms);
    }
    tick(now_ms);
    if (!faults.error_first.empty()) {
      refuse();
      return;
    }
    const Pace pace = pace_of(options, faults);
    if (recording) {
      provider = std::make_unique<RecordingPlayer>(std::move(*recording), pace, outgoing, now_ms);
      return;
    }
    const std::string name = model.name.empty() ? default_model : model.name;
    const std::int64_t expires_at_s = (*expires_ms + unix_offset_ms) / 1000;
    provider = std::make_unique<LiveSession>(
        LiveSession::Setting{name, faults, profile, options.seed, pace, expires_at_s}, emitter,
        now_ms);
  }

  void tick(std::int64_t now_ms) {
    last_ms = std::max(last_ms, now_ms);
    ids.set_time((last_ms + unix_offset_ms) / 1000);
  }

  void refuse() {
    emitter.error(
        {faults.error_first, "The simulated provider is set to refuse this connection.", ""}, "");
    outgoing.close(4000, "invalid_request_error." + faults.error_first);
  }

  std::optional<std::int64_t> due() const {
    if (outgoing.over() || !provider) return std::nullopt;
    std::optional<std::int64_t> first = expires_ms;
    if (const auto next = provider->due())
      first = std::min(first.value_or(next->at_ms), next->at_ms);
    return first;
  }

  /// Executes everything that is due, in order. Stops when the outgoing queue is full.
  void advance(std::int64_t now_ms) {
    tick(now_ms);
    for (auto next = due(); next && *next <= last_ms && !outgoing.full(); next = due()) {
      if (expires_ms && *next == *expires_ms) {
        emitter.error({"session_expired", expired, ""}, "");
        outgoing.close(1001, expired);
      } else {
        provider->step();
      }
    }
  }

  Faults faults;
  std::int64_t unix_offset_ms;
  Ids ids;
  Outgoing outgoing;
  const Profile& profile;
  Emitter emitter;
  std::int64_t last_ms;
  std::optional<std::int64_t> expires_ms;
  std::unique_ptr<Provider> provider;
};

SimulatedConnection::SimulatedConnection(const Options& options, const std::string& model,
                                         std::int64_t now_ms)
    : state_(std::make_unique<State>(options, split_model(model), now_ms)) {}

SimulatedConnection::~SimulatedConnection() = default;
SimulatedConnection::SimulatedConnection(SimulatedConnection&&) noexcept = default;
SimulatedConnection& SimulatedConnection::operator=(SimulatedConnection&&) noexcept = default;

void SimulatedConnection::on_message(std::string_view message, std::int64_t now_ms) {
  state_->advance(now_ms);
  if (state_->outgoing.over() || !state_->provider) return;
  state_->provider->on_message(message, state_->last_ms);
}

std::optional<std::int64_t> SimulatedConnection::next_due() const {
  if (!state_->outgoing.empty()) return state_->last_ms;
  return state_->due();
}

std::vector<Action> SimulatedConnection::take(std::int64_t now_ms) {
  state_->advance(now_ms);
  return state_->outgoing.take();
}

}  // namespace verbatim::simulator
