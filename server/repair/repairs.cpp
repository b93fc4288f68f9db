#include "server/repair/repairs.hpp"

#include <algorithm>
#include <utility>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/thread_name.hpp"
#include "server/relay/metric_family.hpp"

namespace verbatim::repair {

namespace {

using store::StoreResult;

constexpr const char* reader = "the repair";
/// Interval of the search for attempts that have ended. It reads a few rows of an index.
constexpr auto look_interval = std::chrono::milliseconds(1'000);
/// Attempts that one search looks at, so that other reads need not wait.
constexpr std::size_t looked_at_max = 200;
/// Limit for attempts that wait in memory, about 200 bytes each. At the limit the search stops.
constexpr std::size_t waiting_max = 10'000;
constexpr std::size_t piece_bytes = 256 * 1024;

struct RepairCounts {
  std::array<std::uint64_t, outcome_count> outcomes{};
  std::size_t waiting = 0;
};

constexpr relay::MetricFamily<RepairCounts> repair_rows[] = {
    {"verbatim_repairs_total",
     "Calls for a second transcription by outcome; not_sent counts utterances without a call.",
     relay::MetricType::counter,
     [](const RepairCounts& counts, relay::MetricSamples& out) {
       for (std::size_t one = 0; one < outcome_count; ++one)
         out.add({{"outcome", to_string(static_cast<Outcome>(one))}}, counts.outcomes[one]);
     }},
    {"verbatim_repairs_waiting", "Attempts that wait for a repair.", relay::MetricType::gauge,
     [](const RepairCounts& counts, relay::MetricSamples& out) { out.add(counts.waiting); }},
};

}  // namespace

struct Repairs::Work {
  store::RepairableAttempt attempt;
  Runs runs;
  relay::TrackSizes sizes;
  std::string language;
  std::vector<Utterance> utterances;  ///< with tries left, those with the fewest first
  std::int64_t audio_ms = 0;          ///< sent so far
};

Repairs::Repairs(const config::Repair& settings, RepairStores stores, relay::Recordings& recordings,
                 Log& log)
    : settings_(settings),
      stores_(stores),
      recordings_(recordings),
      log_(log),
      queue_(waiting_max) {
  const auto add = [this](const char* name, const std::string& url, const std::string& model,
                          const Secret& key) {
    if (url.empty()) return;
    engines_.push_back(std::make_unique<Engine>(
        Engine::Options{name, url, model, key, settings_.allow_private, settings_.timeout,
                        settings_.retry_min, settings_.retry_max}));
  };
  add("repair.url", settings_.url, settings_.model, settings_.key);
  add("repair.fallback_url", settings_.fallback_url, settings_.fallback_model,
      settings_.fallback_key);
  thread_ = std::thread([this] { run(); });
}

std::unique_ptr<Repairs> Repairs::start_if_any(const config::Repair& settings, RepairStores stores,
                                               relay::Recordings* recordings, Log& log) {
  if (settings.url.empty() || recordings == nullptr) return nullptr;
  return std::make_unique<Repairs>(settings, stores, *recordings, log);
}

Repairs::~Repairs() { stop(); }

void Repairs::stop() {
  queue_.stop();
  calls_.stop();
  for (const auto& engine : engines_) engine->wake();
  if (thread_.joinable()) thread_.join();
}

void Repairs::hold(const std::string& session_id, std::function<void()> done) {
  queue_.hold(session_id, std::move(done), [this] {
    for (const auto& engine : engines_) engine->wake();
  });
}

void Repairs::ask(const store::RepairableAttempt& attempt, store::Done<> done) {
  const auto forgotten = [this, attempt, done = std::move(done)](store::StoreResult<> result) {
    if (result) queue_.ask(attempt);
    done(std::move(result));
  };
  stores_.repairs.forget_repair_tries(attempt, forgotten);
}

bool Repairs::any_engine_is_ready() const {
  return std::any_of(engines_.begin(), engines_.end(),
                     [](const auto& one) { return one->is_ready(); });
}

Repairs::Clock::time_point Repairs::an_engine_is_ready_at() const {
  auto first = Clock::time_point::max();
  for (const auto& one : engines_) first = std::min(first, one->ready_at());
  return first;
}

Repairs::Clock::time_point Repairs::next_try(int tries) {
  return Clock::now() + doubled(settings_.retry_min, std::max(0, tries - 1), settings_.retry_max);
}

// ---- The thread ----

void Repairs::run() {
  name_this_thread("repair");
  give_way();
  while (!queue_.stopping()) {
    if (Clock::now() >= next_look_) look_for_more();
    if (queue_.take_asked())
      for (const auto& engine : engines_) engine->end_pause();
    const auto job = any_engine_is_ready() ? queue_.take(Clock::now()) : std::nullopt;
    if (job) {
      work(*job);
      queue_.finish();
      continue;
    }
    // Nothing is due while all engines pause.
    queue_.wait_until(
        std::min(next_look_, any_engine_is_ready() ? queue_.next_due() : an_engine_is_ready_at()));
  }
}

void Repairs::look_for_more() {
  next_look_ = Clock::now() + look_interval;
  if (!queue_.has_room()) return;
  const auto found = calls_.wait_for<StoreResult<store::RepairPage>>([this](auto done) {
    stores_.repairs.find_repairable(looked_up_to_, looked_at_max, {reader}, done);
  });
  if (!found) return;
  if (!*found) {
    if (!std::exchange(troubled_, true))
      log_.warn("repair.postponed", {{"why", found->error().what()}, {"now", "it is tried again"}});
    return;
  }
  troubled_ = false;
  const store::RepairPage& page = **found;
  looked_up_to_ = page.next;
  for (const store::RepairableAttempt& attempt : page.attempts) queue_.add(attempt);
  if (page.more) next_look_ = Clock::now();
}

/// Reads all that is known of the attempt. nullopt: there is nothing to repair, or it comes later.
std::optional<Repairs::Work> Repairs::open(const Queue::Job& job) {
  const store::RepairableAttempt& attempt = job.attempt;
  using Views = StoreResult<std::optional<store::TranscriptViews>>;
  const auto views = calls_.wait_for<Views>([&](auto done) {
    stores_.sessions.read_transcripts({attempt.session_id, attempt.number},
                                      {reader, attempt.session_id}, done);
  });
  using Recorded = StoreResult<std::optional<store::RecordedAttempt>>;
  const auto recorded = calls_.wait_for<Recorded>([&](auto done) {
    stores_.recorded.read_recording(attempt.session_id, attempt.number,
                                    {reader, attempt.session_id}, done);
  });
  const auto tries = calls_.wait_for<StoreResult<store::RepairRecord>>([&](auto done) {
    stores_.repairs.read_repair(attempt, {reader, attempt.session_id}, done);
  });
  if (!views || !recorded || !tries) return std::nullopt;
  if (!*views || !*recorded || !*tries) {
    queue_.put_back(job, next_try(1));
    return std::nullopt;
  }
  if (!**views || !**recorded || (**views)->empty()) return std::nullopt;  // erased
  const transcript::TranscriptView& view = (**views)->front();
  if (view.status != transcript::SessionStatus::final) return std::nullopt;
  const auto measured = calls_.wait_for<relay::Recordings::Measured>(
      [&](auto done) { recordings_.measure(attempt.session_id, attempt.number, done); });
  if (!measured) return std::nullopt;
  if (!*measured) {
    log_.warn("repair.postponed", {{"session", attempt.session_id},
                                   {"why", measured->error().why},
                                   {"now", "it is tried again"}});
    queue_.put_back(job, Clock::now() + settings_.retry_max);
    return std::nullopt;
  }
  const relay::TrackSizes& sizes = (*measured)->sizes;
  if (sizes.user == 0) return std::nullopt;  // expired

  Work work{attempt, (**recorded)->runs, sizes, (*tries)->language, {}, 0};
  work.utterances = choose_utterances(view, work.runs, job.again);
  for (const store::RepairTries& one : (*tries)->tries) {
    work.audio_ms += one.audio_ms;
    for (Utterance& utterance : work.utterances)
      if (utterance.item_id == one.item_id) utterance.tries = one.tries;
  }
  std::erase_if(work.utterances, [&](const Utterance& one) {
    return static_cast<std::size_t>(one.tries) >= settings_.attempts_max ||
           std::find(job.left_out.begin(), job.left_out.end(), one.item_id) != job.left_out.end();
  });
  std::stable_sort(work.utterances.begin(), work.utterances.end(),
                   [](const Utterance& a, const Utterance& b) { return a.tries < b.tries; });
  return work;
}

void Repairs::work(Queue::Job job) {
  auto work = open(job);
  if (!work) return;
  int least_tries = 0;  // of those that can be tried once more
  for (const Utterance& utterance : work->utterances) {
    if (!any_engine_is_ready()) return queue_.put_back(job, Clock::now());
    const Step step = try_one(*work, utterance);
    // If the session was erased, the next look at it finds nothing.
    if (step == Step::stopped) return queue_.put_back(job, next_try(1));
    if (step == Step::cannot) job.left_out.push_back(utterance.item_id);
    if (step != Step::tried) continue;
    const int tries = utterance.tries + 1;
    if (static_cast<std::size_t>(tries) >= settings_.attempts_max) {
      given_up(*work, utterance);
    } else {
      least_tries = least_tries == 0 ? tries : std::min(least_tries, tries);
    }
  }
  if (least_tries > 0) queue_.put_back(job, next_try(least_tries));
}

// ---- One utterance ----

void Repairs::given_up(const Work& work, const Utterance& utterance) {
  log_.warn("repair.given_up", {{"session", work.attempt.session_id},
                                {"attempt", work.attempt.number},
                                {"item", utterance.item_id},
                                {"tries", settings_.attempts_max}});
}

void Repairs::do_not_send(const Work& work, const Utterance& utterance, const std::string& why) {
  count(Outcome::not_sent);
  log_.warn("repair.not_sent", {{"session", work.attempt.session_id},
                                {"attempt", work.attempt.number},
                                {"item", utterance.item_id},
                                {"why", why}});
}

/// nullopt: it was erased meanwhile.
std::optional<std::string> Repairs::read_file(const relay::RecordedAudio& audio, bool& silent) {
  SoundDetector sound(audio.timeline->rate());
  std::string file;
  file.reserve(audio.timeline->bytes());
  while (file.size() < audio.timeline->bytes()) {
    auto piece = calls_.wait_for<std::optional<std::string>>(
        [&](auto done) { recordings_.read(audio, file.size(), piece_bytes, done); });
    if (!piece || !*piece || (*piece)->empty()) return std::nullopt;
    std::string_view samples = **piece;
    if (file.empty())
      samples.remove_prefix(std::min<std::size_t>(samples.size(), audio.timeline->header_bytes));
    sound.add(samples);
    file += **piece;
  }
  silent = !sound.found();
  return file;
}

/// The utterance as a WAV file. nullopt: it is not sent, and the log says why.
std::optional<std::string> Repairs::audio_of(const Work& work, const Utterance& utterance) {
  auto timeline = cut_utterance(work.runs, work.sizes.user, utterance.item_id);
  if (!timeline) {
    do_not_send(work, utterance, "its audio is not there");
    return std::nullopt;
  }
  if (timeline->bytes() > settings_.file_bytes_max) {
    do_not_send(
        work, utterance,
        "it has " + std::to_string(timeline->bytes()) + " bytes: more than repair.file_bytes_max");
    return std::nullopt;
  }
  if (work.audio_ms + utterance.audio_ms > settings_.audio_max.count()) {
    do_not_send(work, utterance, "the attempt has reached repair.audio_max");
    return std::nullopt;
  }
  const relay::RecordedAudio audio{
      std::make_shared<const relay::AudioTimeline>(*std::move(timeline)), work.attempt.session_id,
      work.attempt.number};
  bool silent = false;
  auto file = read_file(audio, silent);
  if (file && !silent) return file;
  if (file) do_not_send(work, utterance, "it is silent");
  return std::nullopt;
}

Repairs::Step Repairs::try_one(Work& work, const Utterance& utterance) {
  const auto wav = audio_of(work, utterance);
  if (queue_.must_stop()) return Step::stopped;
  return wav ? ask_engines(work, utterance, *wav) : Step::cannot;
}

/// False: no call may be made.
bool Repairs::note_try(const Work& work, const Utterance& utterance, bool another) {
  const auto noted = calls_.wait_for<StoreResult<>>([&](auto done) {
    stores_.repairs.note_repair_try({work.attempt, utterance.item_id, utterance.audio_ms, another},
                                    done);
  });
  if (!noted) return false;
  if (!*noted && noted->error().failure() != store::Failure::not_found)
    log_.warn("repair.postponed", {{"why", noted->error().what()}, {"now", "it is tried again"}});
  return *noted && !queue_.must_stop();
}

Repairs::Step Repairs::ask_engines(Work& work, const Utterance& utterance, const std::string& wav) {
  bool first = true;
  for (const auto& engine : engines_) {
    if (!engine->is_ready()) continue;
    if (!note_try(work, utterance, std::exchange(first, false))) return Step::stopped;
    work.audio_ms += utterance.audio_ms;
    auto answer = engine->transcribe(wav, work.language, [this] { return queue_.must_stop(); });
    if (!answer) {
      if (!queue_.stopping()) count(Outcome::thrown_away);
      return Step::stopped;
    }
    if (answer->outcome == Outcome::repaired) return keep(work, utterance, std::move(answer->text));
    count(answer->outcome);
    log_.warn("repair.failed", {{"session", work.attempt.session_id},
                                {"attempt", work.attempt.number},
                                {"item", utterance.item_id},
                                {"engine", engine->name()},
                                {"try", utterance.tries + 1},
                                {"why", answer->why}});
  }
  return Step::tried;
}

/// The words are merged before the next utterance, so that lists and webhooks have them.
Repairs::Step Repairs::keep(const Work& work, const Utterance& utterance, std::string text) {
  store::PostedCopy posted;
  posted.session_id = work.attempt.session_id;
  posted.attempt = work.attempt.number;
  posted.now = now().wall;
  transcript::CopyTurn turn;
  turn.item_id = utterance.item_id;
  turn.role = transcript::Role::user;
  turn.text = Text::from_wtf8(std::move(text));
  posted.copy = {transcript::repair_writer, {std::move(turn)}};
  const auto kept = calls_.wait_for<StoreResult<store::KeptCopy>>(
      [&](auto done) { stores_.repairs.keep_repair(posted, done); });
  if (!kept) return Step::stopped;
  if (!*kept && kept->error().failure() == store::Failure::not_found) {
    count(Outcome::thrown_away);
    return Step::stopped;
  }
  if (!*kept) {
    count(Outcome::failed);
    log_.error("repair.not_stored", {{"session", work.attempt.session_id},
                                     {"why", kept->error().what()},
                                     {"now", "the utterance is tried again"}});
    return Step::tried;
  }
  count(Outcome::repaired);
  log_.info("repair.done", {{"session", work.attempt.session_id},
                            {"attempt", work.attempt.number},
                            {"item", utterance.item_id},
                            {"try", utterance.tries + 1}});
  using Merged = StoreResult<std::optional<store::PostOutcome>>;
  // If this fails, the store merges the copy later.
  calls_.wait_for<Merged>([&](auto done) {
    stores_.copies.merge_copy(**kept, work.attempt.session_id, {reader, work.attempt.session_id},
                              done);
  });
  return Step::repaired;
}

void Repairs::add_metrics(relay::MetricsPage& page, const Repairs* repairs) {
  RepairCounts counts;
  if (repairs != nullptr) {
    std::copy(repairs->counts_.begin(), repairs->counts_.end(), counts.outcomes.begin());
    counts.waiting = repairs->queue_.size();
  }
  page.add(repair_rows, counts);
}

}  // namespace verbatim::repair
