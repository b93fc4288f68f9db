// Both ends of many conversations through a relay, in one process with one clock: the clients and
// the provider. The delay of the relay is the difference of two time stamps of that clock.
//
//   relay_load --port P [--path /v1/realtime] --provider-port P --cert PEM --key PEM
//              [--sessions N] [--work conversation|audio|idle|flood] [--message-ms 100]
//              [--exchange-ms 4000]
//              [--warm-up S] [--seconds S]
//
// Prints JSON objects, one a line. The caller reads the relay's CPU time and memory at these lines:
// - "listening";
// - "connected" when every session has a message of its provider;
// - "measuring" after a line on standard input and the warm-up;
// - "done" with the counts at the end.
#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "base/json/tree.hpp"
#include "bench/relays/conversation.hpp"

using namespace verbatim;
using namespace verbatim::bench;
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ssl = asio::ssl;
namespace websocket = beast::websocket;
using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;
using Stream = websocket::stream<ssl::stream<tcp::socket>>;
using Timer = asio::steady_timer;
using std::chrono::milliseconds;

namespace {

/// Length of one exchange in its script.
constexpr int script_ms = 4000;
/// Concurrent handshakes: enough to keep a relay busy, few enough for its listen backlog.
constexpr int dials_max = 32;

struct Options {
  int port = 0, provider_port = 0, sessions = 1, message_ms = 100, exchange_ms = script_ms;
  double warm_up = 2, seconds = 10;
  std::string path = "/v1/realtime", work = "conversation", certificate, key;
};

/// Delays of one kind of message in one direction.
class Delays {
 public:
  void add(std::int64_t ns) {
    ns_.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(ns / 100, UINT32_MAX)));
  }
  Json summary() {
    std::sort(ns_.begin(), ns_.end());
    const auto at = [&](double share) {
      return ns_.empty()
                 ? 0.0
                 : ns_[static_cast<std::size_t>(share * static_cast<double>(ns_.size() - 1))] / 1e4;
    };
    return {{"messages", ns_.size()},
            {"p50_ms", at(.5)},
            {"p99_ms", at(.99)},
            {"p999_ms", at(.999)},
            {"max_ms", at(1)}};
  }

 private:
  std::vector<std::uint32_t> ns_;  // in steps of 100 ns
};

struct Bench {
  Options options;
  asio::io_context io{1};
  ssl::context server_tls{ssl::context::tls_server};
  ssl::context client_tls{ssl::context::tls_client};
  std::string audio;
  bool running = false;
  bool measuring = false;
  bool over = false;
  int connected = 0;
  int failed = 0;
  std::map<std::string, Delays> delays;
  std::uint64_t messages = 0;
  std::list<std::shared_ptr<Stream>> streams;
  Timer begin{io, Timer::time_point::max()};
  Timer all_connected{io, Timer::time_point::max()};

  void say(Json line) {
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  }

  void arrived(const char* direction, std::string_view event) {
    if (!measuring) return;
    const std::int64_t sent = sent_ns(event);
    if (sent == 0) return;
    ++messages;
    constexpr const char* names[] = {"audio", "text", "other"};
    const Kind kind = kind_of(event);
    if (kind != Kind::other)
      delays[std::string(direction) + "_" + names[static_cast<int>(kind)]].add(now_ns() - sent);
  }
};

void prepare(Stream& stream) {
  stream.auto_fragment(false);
  stream.write_buffer_bytes(16 * 1024);
  stream.read_message_max(16 * 1024 * 1024);
  stream.text(true);
  beast::get_lowest_layer(stream).set_option(tcp::no_delay(true));
}

awaitable<void> pause_until(Timer::time_point when) {
  Timer timer(co_await asio::this_coro::executor, when);
  co_await timer.async_wait(use_awaitable);
}

awaitable<void> wait_for(Timer& event) {
  boost::system::error_code ignored;
  co_await event.async_wait(asio::redirect_error(use_awaitable, ignored));
}

/// Counts every event that arrives.
awaitable<void> listen(Bench& bench, std::shared_ptr<Stream> stream, const char* direction,
                       bool client) {
  beast::flat_buffer buffer;
  for (bool first = client;;) {
    buffer.clear();
    co_await stream->async_read(buffer, use_awaitable);
    const std::string_view event(static_cast<const char*>(buffer.data().data()), buffer.size());
    if (first && event.find("session.created") != std::string_view::npos) {
      first = false;
      if (++bench.connected == bench.options.sessions) bench.all_connected.cancel();
    }
    bench.arrived(direction, event);
  }
}

/// Sends an event repeatedly, as fast as the relay accepts it.
awaitable<void> flood(Bench& bench, Stream& stream, Template event) {
  while (!bench.over) {
    std::string bytes = event.stamped();
    co_await stream.async_write(asio::buffer(bytes), use_awaitable);
  }
}

/// Sends an event repeatedly, in real time.
awaitable<void> pace(Bench& bench, Stream& stream, Template event, int every_ms, int number) {
  const milliseconds every(every_ms);
  auto next = Clock::now() + every * number / bench.options.sessions;
  while (!bench.over) {
    co_await pause_until(next);
    co_await stream.async_write(asio::buffer(event.stamped()), use_awaitable);
    next += every;
  }
}

awaitable<void> answer(Bench& bench, std::shared_ptr<Stream> stream, int number) {
  co_await wait_for(bench.begin);
  auto next =
      Clock::now() + milliseconds(bench.options.exchange_ms * number / bench.options.sessions);
  for (int exchanges = 0; !bench.over; ++exchanges) {
    co_await pause_until(next);
    auto script = one_exchange(std::to_string(number), exchanges, bench.audio);
    int at_ms = 0;
    for (Due& due : script) {
      // From here on, only audio of an answer without end.
      if (bench.options.work == "audio" && due.event.kind() == Kind::audio)
        co_return co_await pace(bench, *stream, due.event, 100, number);
      const int due_ms = due.at_ms * bench.options.exchange_ms / script_ms;
      if (due_ms != at_ms) co_await pause_until(next + milliseconds(at_ms = due_ms));
      co_await stream->async_write(asio::buffer(due.event.stamped()), use_awaitable);
    }
    next += milliseconds(bench.options.exchange_ms);
  }
}

awaitable<void> speak(Bench& bench, std::shared_ptr<Stream> stream, int number) {
  const int every_ms = bench.options.message_ms;
  const Template append(Kind::audio, "input_audio_buffer.append",
                        "\"audio\":\"" + speech(every_ms) + "\"");
  co_await wait_for(bench.begin);
  if (bench.options.work == "flood") co_return co_await flood(bench, *stream, append);
  co_await pace(bench, *stream, append, every_ms, number);
}

/// Counts coroutines that fail during the measurement, because a failure makes the run invalid.
template <class Work>
void spawn(Bench& bench, Work work) {
  asio::co_spawn(bench.io, std::move(work), [&bench](const std::exception_ptr& failure) {
    // Ignore earlier failures: the relay also passes on connections that only test whether it
    // listens.
    if (!failure || !bench.running || bench.over) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      if (bench.failed++ < 3) std::fprintf(stderr, "relay_load: %s\n", error.what());
      if (bench.failed == bench.options.sessions) std::_Exit(1);
    }
  });
}

awaitable<void> serve(Bench& bench, tcp::socket socket, int number) {
  auto stream = std::make_shared<Stream>(std::move(socket), bench.server_tls);
  co_await stream->next_layer().async_handshake(ssl::stream_base::server, use_awaitable);
  prepare(*stream);
  co_await stream->async_accept(use_awaitable);
  const std::string hello = session_created(std::to_string(number));
  co_await stream->async_write(asio::buffer(hello), use_awaitable);
  bench.streams.push_back(stream);
  if (bench.options.work == "conversation" || bench.options.work == "audio")
    spawn(bench, answer(bench, stream, number));
  co_await listen(bench, stream, "up", false);
}

awaitable<void> provide(Bench& bench, tcp::acceptor acceptor) {
  for (int number = 0;; ++number) {
    auto socket = co_await acceptor.async_accept(use_awaitable);
    spawn(bench, serve(bench, std::move(socket), number));
  }
}

awaitable<void> call(Bench& bench, int number) {
  tcp::socket socket(bench.io);
  co_await socket.async_connect(
      {asio::ip::address_v4::loopback(), static_cast<unsigned short>(bench.options.port)},
      use_awaitable);
  auto stream = std::make_shared<Stream>(std::move(socket), bench.client_tls);
  co_await stream->next_layer().async_handshake(ssl::stream_base::client, use_awaitable);
  prepare(*stream);
  const std::string target = bench.options.path + "?model=gpt-realtime&session=bench_" +
                             std::to_string(bench.options.provider_port) + "_" +
                             std::to_string(now_ns());
  co_await stream->async_handshake("127.0.0.1", target, use_awaitable);
  bench.streams.push_back(stream);
  spawn(bench, listen(bench, stream, "down", true));
  if (bench.options.work != "idle") spawn(bench, speak(bench, stream, number));
}

awaitable<void> call_some(Bench& bench, int from) {
  for (int number = from; number < bench.options.sessions; number += dials_max)
    co_await call(bench, number);
}

awaitable<void> conduct(Bench& bench) {
  bench.say({{"phase", "listening"}});
  asio::posix::stream_descriptor input(bench.io, ::dup(0));
  std::string line;
  co_await asio::async_read_until(input, asio::dynamic_buffer(line), '\n', use_awaitable);
  const auto dialled = Clock::now();
  for (int from = 0; from < std::min(dials_max, bench.options.sessions); ++from)
    spawn(bench, call_some(bench, from));
  co_await wait_for(bench.all_connected);
  const double took = std::chrono::duration<double>(Clock::now() - dialled).count();
  bench.running = true;
  bench.say({{"phase", "connected"}, {"seconds", took}});
  line.clear();
  co_await asio::async_read_until(input, asio::dynamic_buffer(line), '\n', use_awaitable);
  bench.begin.cancel();
  bench.begin.expires_at(Timer::time_point::min());
  const auto seconds = [](double count) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
  };
  co_await pause_until(Clock::now() + seconds(bench.options.warm_up));
  bench.say({{"phase", "measuring"}});
  bench.measuring = true;
  const auto from = Clock::now();
  co_await pause_until(from + seconds(bench.options.seconds));
  bench.measuring = false;
  const double measured = std::chrono::duration<double>(Clock::now() - from).count();
  Json done{{"phase", "done"},
            {"seconds", measured},
            {"messages", bench.messages},
            {"failed", bench.failed}};
  for (auto& [name, some] : bench.delays) done["delays"][name] = some.summary();
  bench.say(std::move(done));
  bench.over = true;
  line.clear();
  co_await asio::async_read_until(input, asio::dynamic_buffer(line), '\n', use_awaitable);
  std::fflush(stdout);
  std::_Exit(0);
}

Options read_options(int count, char** words) {
  Options options;
  const std::map<std::string, std::function<void(const char*)>> known{
      {"--port", [&](const char* is) { options.port = std::atoi(is); }},
      {"--path", [&](const char* is) { options.path = is; }},
      {"--provider-port", [&](const char* is) { options.provider_port = std::atoi(is); }},
      {"--cert", [&](const char* is) { options.certificate = is; }},
      {"--key", [&](const char* is) { options.key = is; }},
      {"--sessions", [&](const char* is) { options.sessions = std::atoi(is); }},
      {"--work", [&](const char* is) { options.work = is; }},
      {"--exchange-ms", [&](const char* is) { options.exchange_ms = std::atoi(is); }},
      {"--message-ms", [&](const char* is) { options.message_ms = std::atoi(is); }},
      {"--warm-up", [&](const char* is) { options.warm_up = std::atof(is); }},
      {"--seconds", [&](const char* is) { options.seconds = std::atof(is); }}};
  for (int at = 1; at + 1 < count; at += 2) {
    const auto option = known.find(words[at]);
    if (option == known.end()) throw std::runtime_error(std::string("what is ") + words[at] + "?");
    option->second(words[at + 1]);
  }
  return options;
}

}  // namespace

int main(int count, char** words) try {
  Bench bench;
  bench.options = read_options(count, words);
  bench.audio = speech(100);
  bench.server_tls.use_certificate_chain_file(bench.options.certificate);
  bench.server_tls.use_private_key_file(bench.options.key, ssl::context::pem);
  bench.client_tls.set_verify_mode(ssl::verify_none);
  tcp::acceptor acceptor(bench.io, {asio::ip::address_v4::loopback(),
                                    static_cast<unsigned short>(bench.options.provider_port)});
  spawn(bench, provide(bench, std::move(acceptor)));
  spawn(bench, conduct(bench));
  bench.io.run();
} catch (const std::exception& error) {
  std::fprintf(stderr, "relay_load: %s\n", error.what());
  return 1;
}
