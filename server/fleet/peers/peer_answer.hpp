// The answer of another node: its head, and its body piece by piece as it comes.
//
// On the thread of its connection, which it owns.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <memory>
#include <string>

#include "server/fleet/peers/carried.hpp"
#include "server/net/body_source.hpp"
#include "server/net/http_message.hpp"
#include "server/net/transport.hpp"

namespace verbatim::peers {

/// Beast's Body concept: keeps what was read last, and reserves nothing for an announced length.
struct PieceBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool is_request, class Fields>
    explicit reader(boost::beast::http::header<is_request, Fields>&, value_type& body)
        : body_(body) {}
    template <class Length>
    void init(const Length&, error_code& ec) {
      ec = {};
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& ec) {
      const std::size_t size = asio::buffer_size(buffers);
      const std::size_t before = body_.size();
      body_.resize(before + size);
      asio::buffer_copy(asio::buffer(body_.data() + before, size), buffers);
      ec = {};
      return size;
    }
    void finish(error_code& ec) { ec = {}; }

   private:
    value_type& body_;
  };
};

class PeerAnswer final : public net::BodySource {
 public:
  explicit PeerAnswer(net::Transport node);

  /// Reads the head. The caller sets the time limit by closing the node's socket.
  net::Awaitable<error_code> read_head();
  int status() const { return static_cast<int>(parser_.get().result_int()); }
  /// Status and headers for the client, without a body.
  net::HttpResponse head() const;
  /// The answer to an upgrade, as the node wrote it.
  std::string upgrade_head() const;

  /// Reads a body into `response` if it is short; false if the node broke off. A long one, or one
  /// without an announced length, becomes the response's source.
  static net::Awaitable<bool> add_body(std::shared_ptr<PeerAnswer> answer,
                                       net::HttpResponse& response);
  /// The source ends when the list stops.
  void list_in(const std::shared_ptr<CarriedList>& list);

  /// The bytes behind the head, and the connection. After an upgrade.
  std::string take_early();
  net::Transport take_connection() { return std::move(node_); }

  net::Awaitable<std::string> next() override;
  bool broken() const override { return broken_; }
  net::Clock::duration patience() const override { return std::chrono::seconds(30); }
  void abandon(bool slow) override;

 private:
  net::Transport node_;
  boost::beast::flat_buffer buffer_;
  boost::beast::http::response_parser<PieceBody> parser_;
  bool broken_ = false;
  bool abandoned_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<CarriedList::Entry> listed_;
};

}  // namespace verbatim::peers
