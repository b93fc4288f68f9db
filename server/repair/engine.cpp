#include "server/repair/engine.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace verbatim::repair {

namespace {

constexpr std::size_t answer_bytes_kept = 64 * 1024;
/// The longest time until a call notices that it was stopped, if a wake() came too early.
constexpr std::chrono::milliseconds stop_look_interval{1'000};
/// One server error may be the fault of one utterance: some engines fail on silence.
constexpr int server_errors_max = 2;

webhooks::CallOptions call_options(const Engine::Options& options) {
  return {transcriptions_url(options.url), options.allow_private, options.timeout,
          answer_bytes_kept};
}

}  // namespace

Engine::Engine(Options options)
    : options_(std::move(options)),
      call_(call_options(options_)),
      calls_(std::make_unique<webhooks::WebhookCalls>(call_)),
      pauses_(backoff_between(options_.retry_min, options_.retry_max,
                              static_cast<std::uint32_t>(now().wall))) {}

std::optional<Transcription> Engine::transcribe(std::string_view wav, const std::string& language,
                                                const std::function<bool()>& stopped) {
  Form form = make_form(wav, options_.model, language, new_sortable_id("verbatim-", now().wall));
  webhooks::WebhookCalls::Headers headers{{"Content-Type", form.content_type},
                                          {"Accept", "application/json"}};
  if (!options_.key.empty())
    headers.emplace_back("Authorization", "Bearer " + options_.key.reveal());
  calls_->start(0, std::move(form.body), headers);
  while (!stopped()) {
    auto ended = calls_->wait(stop_look_interval);
    if (ended.empty()) continue;
    Transcription result = read_answer(ended.front().second, now().wall);
    take_pause(result);
    return result;
  }
  auto fresh = std::make_unique<webhooks::WebhookCalls>(call_);
  const std::lock_guard lock(mutex_);
  calls_ = std::move(fresh);  // aborts the call
  return std::nullopt;
}

void Engine::take_pause(const Transcription& answer) {
  server_errors_ = answer.outcome == Outcome::failed ? server_errors_ + 1 : 0;
  if (!answer.is_engines_fault && server_errors_ < server_errors_max) {
    if (answer.outcome == Outcome::repaired || answer.outcome == Outcome::empty) pauses_.reset();
    return;
  }
  const milliseconds own(pauses_.pause());
  const milliseconds asked =
      std::min(answer.retry_after.value_or(milliseconds(0)), options_.retry_max);
  pauses_.failed();
  asked_until_ = Clock::now() + asked;
  ready_at_ = std::max(asked_until_, Clock::now() + own);
}

void Engine::end_pause() {
  pauses_.reset();
  server_errors_ = 0;
  ready_at_ = asked_until_;
}

void Engine::wake() {
  const std::lock_guard lock(mutex_);
  calls_->wake();
}

}  // namespace verbatim::repair
