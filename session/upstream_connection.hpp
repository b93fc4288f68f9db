// One connection to the provider, from the dial until it carries the conversation. The first leg of
// a conversation carries it at once. A later one is first given what the conversation is: the
// settings in force, then its items in order (P8; protocol notes, section 2: the provider has no
// resume). Until it has taken them, what it says is for us and not for the client.
//
// Pure; part of a RealtimeSession, on its thread. What reads the transcript may throw SpillError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "session/outbox.hpp"
#include "session/protocol/session_settings.hpp"
#include "session/rebuild.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::session {

/// Counts the upstream connections of one conversation, from 1.
using UpstreamId = int;

class UpstreamConnection {
 public:
  /// `rebuilds`: it has to be given a conversation before it can carry it. `item_bytes_max`: a
  /// larger item is not given. `takes_items`: a transcription session does not; it is given the
  /// settings alone.
  UpstreamConnection(UpstreamId id, bool rebuilds, std::size_t item_bytes_max,
                     bool takes_items = true)
      : id_(id), rebuilds_(rebuilds), takes_items_(takes_items), item_bytes_max_(item_bytes_max) {}

  UpstreamId id() const { return id_; }
  bool is_open() const { return open_; }
  void opened() { open_ = true; }

  /// What only this leg is to be told; goes before the conversation's own messages.
  Outbox& outbox() { return outbox_; }
  const Outbox& outbox() const { return outbox_; }

  /// Hears an event while the leg is prepared. Returns false if the leg can not be used.
  bool prepare(const Event& event, const Transcript& transcript, const SessionSettings& settings,
               Sequence needs, bool settled_only);
  /// It has taken everything that it was given.
  bool is_ready() const;
  /// It has refused every item that it was given.
  bool refused_all() const;
  /// Gives it what the conversation has grown by since. True if there was something.
  /// `settled_only`: not what is still being said, nor what comes behind it.
  bool catch_up(const Transcript& transcript, Sequence needs, bool settled_only);
  /// Its outbox has room: the next items follow. Of a long conversation, or of large items, only a
  /// part is in memory at any time.
  void feed(const Transcript& transcript, Sequence needs);
  /// Bytes of items that it was given and has not answered.
  std::size_t unanswered_bytes() const { return unanswered_bytes_; }

  /// Its session.created: from here on the conversation is this leg's.
  const std::optional<Event>& session_created() const { return session_created_; }
  /// Its answer to the settings that it was given; nullopt if there were none.
  const std::optional<Event>& configuration() const { return configuration_; }

  /// The event only repeats what this leg was given.
  bool is_echo(const Event& event) const;
  /// It was given this item and took it.
  bool has(const std::string& item_id) const { return taken_.contains(item_id); }
  /// How many items it was given.
  std::size_t given() const { return given_.size(); }
  Rebuild rebuild() const;
  /// What it said when it refused the settings, or us.
  const std::string& rejection() const { return rejection_; }

 private:
  struct Awaited {
    std::string item_id;
    std::size_t bytes;
  };

  bool hear_error(const ProviderError& error);
  void take(const std::string& item_id);
  bool answered(const std::string& item_id);
  void give(const Transcript& transcript, const std::string& item_id, Sequence needs);

  UpstreamId id_;
  bool rebuilds_;
  bool takes_items_;
  std::size_t item_bytes_max_;
  bool open_ = false;
  bool configured_ = false;
  Outbox outbox_;
  std::optional<Event> session_created_;
  std::optional<Event> configuration_;
  std::deque<std::string> to_give_;          ///< in the conversation's order
  std::unordered_set<std::string> planned_;  ///< were in to_give_ once
  std::unordered_set<std::string> given_;
  std::unordered_set<std::string> taken_;
  std::deque<Awaited> awaited_;  ///< given, not yet placed or refused; in that order
  std::size_t unanswered_bytes_ = 0;
  std::vector<Rebuild::Missing> left_out_;
  std::vector<Rebuild::Missing> refused_;
  std::string rejection_;
};

}  // namespace verbatim::session
