// A WebSocket between a client and another node: copies the bytes both ways, after the upgrade. The
// frames pass unread, so pings, close codes and messages of any size are those of the node. Each
// side is read only as fast as the other takes the bytes.
//
// One thread. Owns both connections. While nothing passes it holds no buffer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/fleet/peers/frame_tracker.hpp"
#include "server/net/async.hpp"
#include "server/net/transport.hpp"

namespace verbatim::peers {

class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  Tunnel(net::Transport client, net::Transport node);

  /// Copies until one side ends; then ends the other. If the node is lost without a close frame,
  /// the client gets 1012 (come back), between two frames.
  /// `early`: bytes that came from the node behind its answer.
  net::Awaitable<void> run(std::string early);

  /// Ends it soon: the client is asked to come back.
  void stop();

 private:
  net::Awaitable<bool> copy(net::Transport& from, net::Transport& to, FrameTracker* passed);
  net::Awaitable<bool> pass(net::Transport& to, std::string_view bytes);
  net::Awaitable<void> copy_from_client();
  net::Awaitable<void> end_client(bool ask_to_return);
  bool may_end() const { return over_ || (stopping_ && frames_.between_frames()); }

  net::Transport client_;
  net::Transport node_;
  FrameTracker frames_;  ///< of those that the node sends
  net::JoinCounter copies_;
  bool over_ = false;          ///< one side has ended
  bool client_ended_ = false;  ///< the client's side ended first
  bool stopping_ = false;
  std::optional<net::Deadline> stop_deadline_;
};

}  // namespace verbatim::peers
