#include "simulator/live_session.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.hpp"
#include "base/json/view.hpp"
#include "simulator/audio_append.hpp"

namespace verbatim::simulator {

namespace {

constexpr std::size_t append_bytes_max = 15U << 20U;
constexpr std::int64_t commit_ms_min = 100;
/// The name of the transcription deployment, for providers with deployments.
constexpr std::string_view transcription_deployment = "transcribe";

std::string event_id_of(const OrderedJson& event) {
  const auto id = event.find("event_id");
  return id != event.end() && id->is_string() ? id->get<std::string>() : std::string();
}

OrderedJson spoken_item(const std::string& id, const std::string& status) {
  return {{"id", id},
          {"type", "message"},
          {"status", status},
          {"role", "user"},
          {"content", OrderedJson::array({{{"type", "input_audio"}, {"transcript", nullptr}}})}};
}

}  // namespace

struct LiveSession::Handler {
  std::string_view type;
  Refusal (LiveSession::*handle)(const OrderedJson&, std::int64_t);
};

LiveSession::LiveSession(const Setting& setting, Emitter& emitter, std::int64_t now_ms)
    : faults_(setting.faults),
      profile_(setting.profile),
      pace_(setting.pace),
      script_(setting.seed),
      random_(setting.seed),
      emitter_(emitter),
      config_(setting.model, emitter.ids().make("sess_"), setting.expires_at_s, setting.profile),
      conversation_id_(emitter.ids().make("conv_")),
      next_ping_{now_ms + profile_.ping_ms, now_ms + profile_.ping_ms} {
  emitter_.send("session.created", {{"session", config_.json()}});
}

std::optional<Due> LiveSession::due() const {
  std::optional<Due> first;
  const auto consider = [&](const Due& due) { first = first ? std::min(*first, due) : due; };
  if (profile_.ping_ms > 0) consider(next_ping_);
  for (const Transcription& words : transcribing_) consider(words.due());
  for (const auto& response : responses_) consider(response->due());
  return first;
}

void LiveSession::step() {
  if (profile_.ping_ms > 0 && *due() == next_ping_) {
    emitter_.send("ping", {{"timestamp", next_ping_.at_ms}});
    next_ping_ = {next_ping_.at_ms + profile_.ping_ms, next_ping_.at_ms + profile_.ping_ms};
    return;
  }
  const auto words = std::min_element(
      transcribing_.begin(), transcribing_.end(),
      [](const Transcription& a, const Transcription& b) { return a.due() < b.due(); });
  const auto response =
      std::min_element(responses_.begin(), responses_.end(),
                       [](const auto& a, const auto& b) { return a->due() < b->due(); });
  const bool words_first = words != transcribing_.end() &&
                           (response == responses_.end() || words->due() < (*response)->due());
  if (words_first) {
    words->step(conversation_);
    if (words->done()) transcribing_.erase(words);
    return;
  }
  (*response)->step();
  if (!(*response)->done()) return;
  responses_.erase(response);
  send_rate_limits();
}

void LiveSession::on_message(std::string_view message, std::int64_t now_ms) {
  if (is_audio_append(message) && append_audio(message, now_ms)) {
    return;
  }
  const OrderedJson event = OrderedJson::parse(message, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) {
    return emitter_.error({"invalid_json", "The event is not a JSON object.", ""}, "");
  }
  const std::string id = event_id_of(event);
  const auto type = event.find("type");
  if (type == event.end() || !type->is_string()) {
    return emitter_.error(missing_parameter("type"), id);
  }
  Refusal refusal;
  try {
    refusal = dispatch(type->get<std::string>(), event, now_ms);
  } catch (const OrderedJson::exception&) {
    // A nested field has an unexpected type. Report it as an error of the client.
    refusal = ClientFault{"invalid_value", "A field of the event has a value of a wrong kind.", ""};
  }
  if (refusal) emitter_.error(*refusal, id);
}

LiveSession::Refusal LiveSession::dispatch(const std::string& type, const OrderedJson& event,
                                           std::int64_t now_ms) {
  static constexpr std::array<Handler, 9> handlers = {{
      {"session.update", &LiveSession::update_session},
      {"input_audio_buffer.commit", &LiveSession::commit_buffer},
      {"input_audio_buffer.clear", &LiveSession::clear_buffer},
      {"conversation.item.create", &LiveSession::create_item},
      {"conversation.item.retrieve", &LiveSession::retrieve_item},
      {"conversation.item.delete", &LiveSession::delete_item},
      {"conversation.item.truncate", &LiveSession::truncate_item},
      {"response.create", &LiveSession::create_response},
      {"response.cancel", &LiveSession::cancel_response},
  }};
  const auto& strange = profile_.unknown_events;
  if (!type.empty() && std::find(strange.begin(), strange.end(), type) != strange.end()) {
    return ClientFault{std::string(profile_.unknown_event_code), "Unknown event type: " + type,
                       "type"};
  }
  const auto handler = std::find_if(handlers.begin(), handlers.end(),
                                    [&](const Handler& known) { return known.type == type; });
  if (handler != handlers.end()) return (this->*handler->handle)(event, now_ms);
  if (type == "input_audio_buffer.append") {
    if (!event.contains("audio")) return missing_parameter("audio");
    return ClientFault{"invalid_value",
                       "Invalid 'audio'. Expected base64-encoded audio bytes in the session's "
                       "input format, not more than 15 MiB, but got an invalid value.",
                       "audio"};
  }
  std::string known = "'input_audio_buffer.append'";
  for (const Handler& one : handlers) known.append(", '").append(one.type).append("'");
  return ClientFault{"invalid_value",
                     "Invalid value: '" + type + "'. Supported values are: " + known + ".", "type"};
}

LiveSession::Refusal LiveSession::update_session(const OrderedJson& event, std::int64_t) {
  if (!event.contains("session")) return missing_parameter("session");
  if (auto fault = config_.update(event["session"], model_has_spoken_)) return fault;
  emitter_.send("session.updated", {{"session", config_.json()}});
  return std::nullopt;
}

bool LiveSession::append_audio(std::string_view message, std::int64_t now_ms) {
  const auto audio = verbatim::json::View::of(message)["audio"];
  if (!audio.is(verbatim::json::Kind::string)) return false;
  std::string_view text = audio.between_quotes();
  std::string unescaped;
  if (text.find('\\') != text.npos) {  // some encoders write "/" as "\/"
    unescaped = audio.string_or_empty();
    text = unescaped;
  }
  std::string bytes;
  if (!decode_base64(text, bytes) || bytes.size() > append_bytes_max) return false;
  hear(bytes, now_ms);
  return true;
}

void LiveSession::hear(std::string_view bytes, std::int64_t now_ms) {
  const AudioFormat format = config_.input_format();
  buffered_bytes_ += static_cast<std::int64_t>(bytes.size());
  unanswered_audio_ms_ += format.ms_in(static_cast<std::int64_t>(bytes.size()));
  std::vector<std::int16_t> samples;
  decode_audio(format, bytes, samples);
  const auto hearing = config_.turn_detection();
  const auto edges = detector_.hear(samples, format.rate, hearing.value_or(Hearing{}));
  for (const SpeechDetector::Edge& edge : edges) {
    speech_buffered_ = true;
    if (!hearing) continue;
    if (edge.started) {
      speech_started(edge.at_ms);
    } else if (speaking_) {
      speech_stopped(edge, now_ms);
    }
  }
  if (speaking_) speaking_->hear(detector_.heard_ms() - speech_began_ms_);
}

Transcription::Manner LiveSession::transcription_manner() {
  using Fate = Transcription::Fate;
  Transcription::Manner manner;
  if (profile_.transcribes) manner.model = config_.transcription_model();
  manner.growing = profile_.growing_words;
  manner.deltas = faults_.transcription_deltas;
  manner.late_ms = faults_.late_transcription_ms;
  const auto befalls = [this](double probability) {
    return probability > 0 && random_.chance(probability);
  };
  if (befalls(faults_.missing_transcription)) {
    manner.fate = Fate::missing;
  } else if (befalls(faults_.fail_transcription)) {
    manner.fate = Fate::failed;
  } else if (befalls(faults_.empty_transcription)) {
    manner.fate = Fate::empty;
  }
  if (profile_.needs_deployments && manner.model != transcription_deployment) {
    manner.fate = Fate::failed;
    manner.failure = "DeploymentNotFound";
  }
  return manner;
}

Transcription LiveSession::new_transcription() {
  return {new_item_id(), transcription_manner(), script_.heard_first(++utterances_), emitter_};
}

void LiveSession::speech_started(std::int64_t at_ms) {
  speaking_.emplace(new_transcription());
  speech_began_ms_ = at_ms;
  emitter_.send("input_audio_buffer.speech_started",
                {{"audio_start_ms", at_ms}, {"item_id", speaking_->item_id()}});
  if (profile_.early_items) {
    const OrderedJson item = spoken_item(speaking_->item_id(), "in_progress");
    conversation_.append({item, {}, 0, false, 0});
    emitter_.send(
        "conversation.item.added",
        {{"previous_item_id", conversation_.previous_of(speaking_->item_id())}, {"item", item}});
  }
  Response* const running = active();
  if (running == nullptr || !config_.interrupts_response()) return;
  running->cancel("turn_detected");
  std::erase_if(responses_, [](const auto& response) { return response->done(); });
}

void LiveSession::speech_stopped(const SpeechDetector::Edge& edge, std::int64_t now_ms) {
  speaking_->hear(edge.at_ms - speech_began_ms_);
  emitter_.send("input_audio_buffer.speech_stopped",
                {{"audio_end_ms", edge.at_ms}, {"item_id", speaking_->item_id()}});
  commit_utterance(true, edge.speech_ms, now_ms);
  if (config_.creates_response()) answer(now_ms);
}

/// Answers what was just said, without a response.create.
void LiveSession::answer(std::int64_t now_ms) {
  if (const Response* running = active()) {
    return emitter_.error(
        {"conversation_already_has_active_response",
         "Conversation already has an active response in progress: " + running->id() +
             ". Wait until the response is finished before creating a new one.",
         ""},
        "");
  }
  ResponsePlan plan = default_plan();
  plan.announced = profile_.announces_answers;
  choose_words(OrderedJson::object(), plan);
  start_response(std::move(plan), now_ms);
}

void LiveSession::commit_utterance(bool speech, std::int64_t length_ms, std::int64_t now_ms) {
  if (!speaking_) speaking_.emplace(new_transcription());
  const std::string& id = speaking_->item_id();
  const OrderedJson item = spoken_item(id, "completed");
  const bool known = conversation_.find(id) != nullptr;
  if (!known) conversation_.append({item, {}, 0, false, 0});
  const OrderedJson previous = conversation_.previous_of(id);
  emitter_.send("input_audio_buffer.committed", {{"previous_item_id", previous}, {"item_id", id}});
  if (!known) {
    emitter_.send("conversation.item.added", {{"previous_item_id", previous}, {"item", item}});
  }
  const bool quirk = conversation_.is_second(id);
  emitter_.send("conversation.item.done",
                {{"previous_item_id", quirk ? OrderedJson(nullptr) : previous}, {"item", item}});
  speaking_->commit(speech, length_ms, pace_, now_ms);
  if (!speaking_->done()) transcribing_.push_back(std::move(*speaking_));
  empty_buffer();
}

void LiveSession::empty_buffer() {
  speaking_.reset();
  buffered_bytes_ = 0;
  speech_buffered_ = false;
}

LiveSession::Refusal LiveSession::commit_buffer(const OrderedJson&, std::int64_t now_ms) {
  const std::int64_t ms = config_.input_format().ms_in(buffered_bytes_);
  if (ms < commit_ms_min) {
    return ClientFault{"input_audio_buffer_commit_empty",
                       "Error committing input audio buffer: buffer too small. Expected at least "
                       "100ms of audio, but buffer only has " +
                           std::to_string(ms) + ".00ms of audio.",
                       ""};
  }
  commit_utterance(speech_buffered_, ms, now_ms);
  detector_.restart();
  if (!profile_.detects_turns) answer(now_ms);
  return std::nullopt;
}

LiveSession::Refusal LiveSession::clear_buffer(const OrderedJson&, std::int64_t) {
  empty_buffer();
  detector_.restart();
  emitter_.send("input_audio_buffer.cleared");
  return std::nullopt;
}

}  // namespace verbatim::simulator
