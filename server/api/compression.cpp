#include "server/api/compression.hpp"

#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <utility>

#include "server/net/from_callback.hpp"
#include "storage/store/copy_store.hpp"

namespace verbatim::api {

namespace {

/// Shorter answers fit into one packet anyway.
constexpr std::size_t compressible_bytes_min = 1024;
/// Longer ones take more than about ten milliseconds.
constexpr std::size_t quickly_compressed_bytes = 512 * 1024;
constexpr std::chrono::seconds compression_wait_max{2};
/// Of zlib: about twice as fast as its default for a few per cent more bytes.
constexpr int compression_level = 4;
/// Of zlib: the largest window, in gzip's format.
constexpr int gzip_window_bits = 15 + 16;
constexpr int memory_level = 8;

/// The weight of a member of Accept-Encoding; 1 if it names none.
double weight_of(std::string_view parameters) {
  const std::size_t q = parameters.find("q=");
  if (q == std::string_view::npos) return 1;
  return std::strtod(std::string(parameters.substr(q + 2)).c_str(), nullptr);
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;  // by "*"
  for (const std::string& member : net::split_list(accept_encoding)) {
    const std::size_t end = std::min(member.find_first_of("; \t"), member.size());
    const std::string_view name = std::string_view(member).substr(0, end);
    const bool wanted = weight_of(std::string_view(member).substr(end)) > 0;
    if (net::equals_ignore_case(name, "gzip") || net::equals_ignore_case(name, "x-gzip"))
      return wanted;
    if (name == "*") any = wanted;
  }
  return any;
}

std::optional<std::string> gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, compression_level, Z_DEFLATED, gzip_window_bits, memory_level,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    return std::nullopt;
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int result = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  packed.shrink_to_fit();
  return packed;
}

bool is_compressible(const net::HttpRequest& request, const net::HttpResponse& response) {
  return request.method == "GET" && request.path.starts_with("/v1/sessions") &&
         response.status == 200 && !response.source &&
         response.body.size() >= compressible_bytes_min &&
         response.body.size() <= static_cast<std::size_t>(INT32_MAX);
}

net::Awaitable<net::HttpResponse> compressed(const ApiServices& api, const RequestContext& context,
                                             net::HttpResponse response) {
  if (!is_compressible(context.request, response)) co_return response;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (!accepts_gzip(context.request.header("Accept-Encoding"))) co_return response;
  const auto body = std::make_shared<const std::string>(std::move(response.body));
  const auto lane =
      body->size() > quickly_compressed_bytes ? store::MergeLane::slow : store::MergeLane::quick;
  const auto call = [&](auto done) {
    api.copies.compute(lane, {"an answer's compression", context.share()},
                       [done, body] { done(gzip(*body)); });
  };
  auto packed = co_await net::from_callback<std::optional<std::string>>(
      context.executor(), net::Clock::now() + compression_wait_max, call);
  if (!packed || !*packed) {
    response.body = *body;
    co_return response;
  }
  response.body = std::move(**packed);
  response.headers.emplace_back("Content-Encoding", "gzip");
  // The bytes differ from those that a strong tag stands for.
  for (auto& [name, value] : response.headers)
    if (name == "ETag" && !value.starts_with("W/")) value.insert(0, "W/");
  co_return response;
}

}  // namespace verbatim::api
