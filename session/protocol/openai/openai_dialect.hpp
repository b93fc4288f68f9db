// OpenAI's Realtime protocol: general availability (GA), and the beta names that compatible servers
// still use. Azure OpenAI and others speak it too. Stateless; any thread.
#pragma once

#include "session/protocol/provider_dialect.hpp"

namespace verbatim::protocol {

class OpenAiDialect : public ProviderDialect {
 public:
  bool rebuilds() const override { return true; }

  DialRequest dial(const DialWish& wish) const override;
  bool is_session_limit(std::uint16_t close_code, std::string_view reason) const override;

  ServerMessage peek_server(std::string_view message) const override;
  ServerReading read_server(std::string_view message) const override;
  Shows shows(std::string_view type) const override;
  ErrorMeaning meaning(const transcript::ProviderError& error) const override;
  ErrorAnswer error_answer(std::string_view error_message) const override;
  std::unique_ptr<OpenAnswers> open_answers(std::size_t bytes_max) const override;

  ClientMessage check_client(std::string_view message, const std::vector<std::string>& extra_types,
                             std::size_t values_max) const override;
  ClientRequest peek_client(std::string_view message) const override;
  std::optional<transcript::Event> read_client(std::string_view message) const override;
  ItemTarget item_target(std::string_view message) const override;
  std::string_view item_in(std::string_view message) const override;
  bool is_same_item(const transcript::Item& wanted, const transcript::Item& ours,
                    const std::optional<transcript::Turn>& turn) const override;
  std::string placed_behind(std::string_view message, const std::string& item_id) const override;
  const KnownPlaces& known_places() const override;

  std::string append_audio(std::string_view audio) const override;
  std::string_view audio_member(std::string_view type) const override;
  std::string_view audio_in(std::string_view message, std::string& room) const override;

  std::string_view session_in(std::string_view message) const override;
  SessionFacts read_session(std::string_view session_json) const override;
  std::string with_session(std::string_view message, std::string_view session_json) const override;
  std::optional<std::string> without_transcription(std::string_view message) const override;

  std::string configure(std::string_view session_json, std::string_view transcription_model,
                        SessionType type, std::string_view event_id) const override;
  std::string transcribe(std::string_view transcription_model, SessionType type,
                         std::string_view event_id) const override;
  std::string restore_session(std::string_view session_json,
                              std::string_view event_id) const override;
  RebuiltItem create_item(const transcript::Item& item, const std::optional<transcript::Turn>& turn,
                          std::size_t item_bytes_max, std::string_view event_id) const override;
  std::string commit_audio(std::string_view event_id) const override;
  std::string create_response(std::string_view event_id) const override;

  std::string error(const ErrorEvent& error, std::string_view event_id) const override;
  std::string session_created(std::string_view session_json,
                              std::string_view event_id) const override;
  std::vector<std::string> show_item(const transcript::Item& item,
                                     const std::optional<transcript::Turn>& turn,
                                     const ItemView& view,
                                     const EventIds& next_event_id) const override;
  std::string item_truncated(const ItemTarget& target, std::string_view event_id) const override;
  std::string item_deleted(const std::string& item_id, std::string_view event_id) const override;
  std::string item_retrieved(const transcript::Item& item,
                             const std::optional<transcript::Turn>& turn, bool spoken,
                             std::string_view event_id) const override;
};

const ProviderDialect& openai_dialect();

}  // namespace verbatim::protocol
