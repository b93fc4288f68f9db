// The body of a request as Beast's parser fills it: a string that asks BodyMemory for room as it
// grows.
//
// On the connection's thread. The connection's parser owns it.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "server/net/async.hpp"
#include "server/net/body_memory.hpp"

namespace verbatim::net {

/// Beast's Body concept. A body that gets no memory ends with errc::not_enough_memory.
struct RequestBody {
  struct value_type {
    std::string bytes;
    std::optional<BodyMemory::Share> share;  ///< null: this body shares no limit with others

    /// Makes room for `more` bytes. Doubles the capacity, but not beyond the announced length.
    bool make_room(std::size_t more, std::size_t announced) {
      const std::size_t needed = bytes.size() + more;
      if (needed <= bytes.capacity()) return true;
      const std::size_t doubled = std::min(2 * bytes.capacity(), announced);
      const std::size_t wanted = std::max(needed, doubled);
      if (share && !share->grow(wanted)) return false;
      std::string larger;
      larger.reserve(wanted);
      larger.append(bytes);
      bytes = std::move(larger);
      return true;
    }
  };

  class reader {
   public:
    template <bool is_request, class Fields>
    explicit reader(boost::beast::http::header<is_request, Fields>&, value_type& body)
        : body_(body) {}

    void init(const boost::optional<std::uint64_t>& length, error_code& ec) {
      if (length) announced_ = static_cast<std::size_t>(*length);
      ec = {};
    }

    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& ec) {
      const std::size_t more = asio::buffer_size(buffers);
      if (!body_.make_room(more, announced_)) {
        ec = make_error_code(boost::system::errc::not_enough_memory);
        return 0;
      }
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        body_.bytes.append(static_cast<const char*>(buffer.data()), buffer.size());
      }
      ec = {};
      return more;
    }

    void finish(error_code& ec) { ec = {}; }

   private:
    value_type& body_;
    std::size_t announced_ = static_cast<std::size_t>(-1);
  };
};

}  // namespace verbatim::net
