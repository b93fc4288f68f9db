// One watcher's Server-Sent Events: what it has not seen of the newest state, then a heartbeat
// until there is a newer one. Events are snapshots, so a watcher that comes late or is slow misses
// nothing: it gets the newest of each turn. The shapes: docs/api.md, Live.
//
// On its connection's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/api/live_feed.hpp"
#include "server/net/body_source.hpp"

namespace verbatim::api {

class EventStream final : public net::BodySource {
 public:
  /// `seen`: the id of the last event that the watcher has. `may_watch`: called at every step; the
  /// stream ends when it returns false. `memory`: the part of the memory of all answers that
  /// `start` takes.
  EventStream(LiveFeed& feed, std::unique_ptr<LiveFeed::Permit> permit, store::TailStart start,
              const std::optional<store::TailMark>& seen, std::function<bool()> may_watch,
              std::shared_ptr<void> memory, const net::Executor& executor);

  net::Awaitable<std::string> next() override;
  net::Clock::duration patience() const override { return feed_.settings().write_timeout; }
  void abandon(bool slow) override;

 private:
  struct Event {
    std::shared_ptr<const store::TailTurn> turn;
    std::shared_ptr<const store::TailCall> call;
    std::string session;  ///< if it is neither

    const char* name() const;
    const std::string& data() const;
  };

  void take_end(const store::TailState& end);
  void take(std::shared_ptr<const store::TailState> state);
  void add_unseen(const store::TailState& state, const store::TailState* before,
                  std::uint64_t seen);
  std::string piece();

  LiveFeed& feed_;
  std::unique_ptr<LiveFeed::Permit> permit_;
  store::TailStart start_;
  std::function<bool()> may_watch_;
  std::shared_ptr<void> memory_;  ///< of the first state, as long as it is held
  std::uint64_t seen_ = 0;        ///< number of the state that the watcher has, of this attempt
  std::shared_ptr<net::AsyncEvent> event_;
  std::shared_ptr<const store::TailState> shown_;
  std::vector<Event> batch_;       ///< being sent; the last one carries the state's mark
  std::size_t sent_ = 0;           ///< of the batch, whole events
  std::size_t sent_of_event_ = 0;  ///< sent bytes of the data of the next event
  store::TailMark mark_;
  net::Clock::time_point ends_at_;
  net::Clock::time_point beat_at_;
  bool begun_ = false;
  bool over_ = false;
  bool abandoned_ = false;
};

}  // namespace verbatim::api
