// Passes requests of clients on to the nodes that run their sessions, and recognises what other
// nodes pass on to this one.
//
// One object for all workers; outlives them. A connection to a node carries one request.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include <boost/asio/ssl/context.hpp>

#include "base/line_limit.hpp"
#include "base/log.hpp"
#include "base/reloadable.hpp"
#include "base/url.hpp"
#include "config/settings.hpp"
#include "server/fleet/peers/carried.hpp"
#include "server/fleet/peers/peer_answer.hpp"
#include "server/fleet/peers/peer_token.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/peers.hpp"

namespace verbatim::peers {

struct PeerParts {
  const config::LiveSettings& settings;
  const Reloadable<const access::Authenticator>& authenticator;
  relay::SessionDirectory& directory;
  Log& log;
};

struct PeerOptions {
  std::filesystem::path ca_file;  ///< authorities of the nodes' certificates; empty: the system's
  std::chrono::milliseconds connect_timeout{};  ///< for a connection to a node with TLS
  std::chrono::milliseconds lease_ttl{};        ///< of a node's lease
};

class PeerLink final : public relay::Peers {
 public:
  /// Throws config::ConfigError if the authorities cannot be loaded.
  PeerLink(PeerParts parts, const PeerOptions& options);

  net::Awaitable<relay::SessionHome> home_of(net::Executor executor, std::string session_id,
                                             relay::Purpose purpose) override;
  net::Awaitable<relay::Carried> carry(net::HttpRequest request, net::Transport client,
                                       std::string session_id, relay::Node node,
                                       std::function<void()> upgraded) override;
  net::Awaitable<relay::Asked> ask(net::Executor executor, net::HttpRequest request,
                                   std::string session_id, relay::Node node) override;
  net::Awaitable<relay::TokenRecord> bring_token(net::Executor executor, std::string id) override;
  net::Awaitable<relay::TokenRecord> revoke_token(net::Executor executor, std::string id,
                                                  TimeMs at) override;
  void recognise(net::HttpRequest& request) const override;
  bool is_misdirected(const net::HttpRequest& request) const override;

  /// The process ends: clients are asked to come back. Any thread.
  void stop() { carried_->stop_all(); }
  relay::PeerGauges gauges() const override;

 private:
  using Answered = tl::expected<std::shared_ptr<PeerAnswer>, std::string>;
  net::Awaitable<tl::expected<net::Transport, std::string>> connect(net::Executor executor,
                                                                    const Address& address) const;
  net::Awaitable<Answered> exchange(net::Executor executor, const net::HttpRequest& request,
                                    const std::string& session_id, const relay::Node& node) const;
  /// The same, and asks the directory again if that node does not run the session.
  net::Awaitable<Answered> answer_of(net::Executor executor, const net::HttpRequest& request,
                                     const std::string& session_id, relay::Node& node);
  /// The same for a session that should go on: takes it over from a node that is gone.
  struct Reached {
    Answered answered;
    bool here = false;  ///< this node has the session now; nothing is answered
  };
  net::Awaitable<Reached> reach(net::Executor executor, const net::HttpRequest& request,
                                const std::string& session_id, relay::Node node);
  std::string token_for(const net::HttpRequest& request, const std::string& session_id,
                        const relay::Node& node) const;
  std::string key() const;
  void report_unreachable(const relay::Node& node, const std::string& why);
  void report_stranger(const net::HttpRequest& request, PeerRefusal why) const;

  enum class Outcome : std::uint8_t { websocket, answered, unreachable };
  void count(Outcome outcome) {
    counts_[static_cast<std::size_t>(outcome)].fetch_add(1, std::memory_order_relaxed);
  }

  PeerParts parts_;
  const std::chrono::milliseconds connect_timeout_;
  const std::chrono::milliseconds lease_ttl_;
  mutable asio::ssl::context tls_;
  std::shared_ptr<CarriedList> carried_ = std::make_shared<CarriedList>();
  std::array<std::atomic<std::uint64_t>, 3> counts_{};
  mutable std::atomic<std::uint64_t> strangers_{0};
  LineLimit unreachable_line_{1, std::chrono::seconds(10)};
  mutable LineLimit stranger_line_{1, std::chrono::seconds(10)};
};

}  // namespace verbatim::peers
