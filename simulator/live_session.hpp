// A live provider: a session with its conversation, input audio buffer and responses. One thread.
// Stores no input audio; Conversation limits the number of items.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simulator/conversation.hpp"
#include "simulator/emitter.hpp"
#include "simulator/faults.hpp"
#include "simulator/profile.hpp"
#include "simulator/provider.hpp"
#include "simulator/random.hpp"
#include "simulator/response.hpp"
#include "simulator/schedule.hpp"
#include "simulator/script.hpp"
#include "simulator/session_config.hpp"
#include "simulator/speech_detector.hpp"
#include "simulator/transcription.hpp"

namespace verbatim::simulator {

class LiveSession final : public Provider {
 public:
  struct Setting {
    std::string model;
    Faults faults;
    const Profile& profile;
    std::uint64_t seed = 1;
    Pace pace;
    std::int64_t expires_at_s = 0;
  };
  LiveSession(const Setting& setting, Emitter& emitter, std::int64_t now_ms);

  void on_message(std::string_view message, std::int64_t now_ms) override;
  std::optional<Due> due() const override;
  void step() override;

 private:
  using Refusal = std::optional<ClientFault>;
  struct Handler;

  Refusal dispatch(const std::string& type, const OrderedJson& event, std::int64_t now_ms);

  // Client events, in live_session.cpp, live_items.cpp and live_responses.cpp.
  Refusal update_session(const OrderedJson& event, std::int64_t now_ms);
  Refusal commit_buffer(const OrderedJson& event, std::int64_t now_ms);
  Refusal clear_buffer(const OrderedJson& event, std::int64_t now_ms);
  Refusal create_item(const OrderedJson& event, std::int64_t now_ms);
  Refusal retrieve_item(const OrderedJson& event, std::int64_t now_ms);
  Refusal delete_item(const OrderedJson& event, std::int64_t now_ms);
  Refusal truncate_item(const OrderedJson& event, std::int64_t now_ms);
  Refusal create_response(const OrderedJson& event, std::int64_t now_ms);
  Refusal cancel_response(const OrderedJson& event, std::int64_t now_ms);

  /// Handles appended audio without a JSON tree, because most messages are of this type. Returns
  /// false for any other message and for a malformed one.
  bool append_audio(std::string_view message, std::int64_t now_ms);
  void hear(std::string_view bytes, std::int64_t now_ms);
  void speech_started(std::int64_t at_ms);
  void speech_stopped(const SpeechDetector::Edge& edge, std::int64_t now_ms);
  void commit_utterance(bool speech, std::int64_t length_ms, std::int64_t now_ms);
  Transcription new_transcription();
  Transcription::Manner transcription_manner();
  void empty_buffer();

  std::string new_item_id();

  Response* active();
  void start_response(ResponsePlan plan, std::int64_t now_ms);
  void answer(std::int64_t now_ms);
  void echo_item(const OrderedJson& item);
  ResponsePlan default_plan() const;
  void choose_words(const OrderedJson& request, ResponsePlan& plan);
  void send_rate_limits();  ///< sent at random, as by the provider

  Faults faults_;
  const Profile& profile_;
  Pace pace_;
  Script script_;
  Random random_;
  Emitter& emitter_;
  SessionConfig config_;
  Conversation conversation_;
  std::string conversation_id_;

  SpeechDetector detector_;
  std::optional<Transcription> speaking_;  // of the current utterance
  std::int64_t speech_began_ms_ = 0;
  std::int64_t buffered_bytes_ = 0;  // since the last commit or clear
  bool speech_buffered_ = false;
  std::uint64_t utterances_ = 0;
  std::int64_t unanswered_audio_ms_ = 0;

  Due next_ping_;
  std::string echoed_;     // for profiles that echo items: id of the client's last item
  std::string echoed_as_;  // the id that the client gave that item, if any
  std::list<Transcription> transcribing_;
  std::vector<std::unique_ptr<Response>> responses_;
  std::uint64_t answers_ = 0;
  bool model_has_spoken_ = false;
};

}  // namespace verbatim::simulator
