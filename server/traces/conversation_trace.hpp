// The trace of one conversation: makes spans of what an observer sees. A few for each turn, never
// one for a delta.
//
// On the conversation's thread. If memory is short, spans are lost and counted; the conversation is
// not affected.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/relay/observer.hpp"
#include "server/traces/span_maker.hpp"
#include "server/traces/turn_spans.hpp"

namespace verbatim::traces {

/// The same for all conversations.
struct TraceFacts {
  std::string provider;
  std::string server_address;  ///< of the provider
  std::int64_t server_port = 0;
  std::chrono::milliseconds journal_slow{};
};

class ConversationTrace final : public relay::ConversationObserver {
 public:
  /// Sends the conversation's first span. `queue` must outlive the object. `parent`: the trace to
  /// join; its span is not set if the trace begins here.
  ConversationTrace(const relay::ObservedConversation& conversation, const SpanContext& parent,
                    std::shared_ptr<const TraceFacts> facts, SpanQueue& queue);

  /// The conversation's first span.
  SpanId root() const { return maker_.root(); }

  std::string trace_id() const override { return trace_id_; }
  void recorded(const transcript::Event& event, Moment now) override;
  void dialled(const relay::DialReport& report, Moment now) override;
  void client_lost(Moment now) override;
  void client_returned(bool whole, Moment now) override;
  void journal_waited(std::int64_t since_us, std::int64_t now_us, Moment now) override;
  void ended(Moment now) override;
  void settled(const session::RealtimeSession& session, Moment now) override;

 private:
  template <class Make>
  void guarded(Make make) noexcept;
  void open(const relay::ObservedConversation& conversation, SpanId parent);
  void upstream_opened(Moment now);
  void restored(std::string_view outcome, Moment now);
  void resumed(std::string_view outcome, Moment now);
  void close(const session::RealtimeSession& session, Moment now);

  const std::shared_ptr<const TraceFacts> all_facts_;
  const TraceFacts& facts_ = *all_facts_;
  const std::string trace_id_;
  SpanMaker maker_;
  TurnSpans turns_;
  bool carried_ = false;  ///< a connection to the provider has carried the conversation
  std::optional<Moment> outage_since_;
  std::int64_t dials_ = 0;  ///< in the present outage, or for the first connection
  Moment last_dial_;
  std::optional<Moment> client_lost_at_;
  std::optional<Moment> ended_at_;
  bool settled_ = false;
  std::int64_t rows_ = 0;  ///< events recorded since the last wait for the journal
};

}  // namespace verbatim::traces
