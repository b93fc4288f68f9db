// The cost of one message in the project's own code, from one peer's frame to the frame for the
// other peer: everything except the system, TLS and the disk. For callgrind, which counts
// instructions:
//
//   verbatim_message_cost append|audio|delta COUNT
//
// handles COUNT audio messages of the client (100 ms), audio messages of the provider, or text
// deltas.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "server/net/ws_frame.hpp"
#include "session/realtime_session.hpp"
#include "tests/session/options.hpp"
#include "tests/support/memory_journal.hpp"

using namespace verbatim;
using net::FrameReader;
using net::Opcode;
using net::WsRole;

namespace {

constexpr std::uint32_t key = 0x5A17C3E9;
const std::string speech(6400, 'q');  // 100 ms of 24 kHz PCM16 in base64
constexpr const char* part =
    R"("response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":0,"delta":")";

std::string framed(WsRole sender, std::string_view event) {
  const auto head = net::frame_head(sender, Opcode::text, event.size(), key);
  std::string bytes(head.bytes.data(), head.size);
  const std::size_t begin = bytes.size();
  bytes += event;
  if (sender == WsRole::client)
    net::apply_mask(bytes.data() + begin, bytes.data() + begin, event.size(), key, 0);
  return bytes;
}

struct Relay {
  test::MemoryJournal journal;
  Moment clock{1'000, 1'000};
  session::RealtimeSession session{{"sess_c", 1, 1, false, nullptr}, options(), journal, clock};
  FrameReader from_client{WsRole::client, 1 << 20};
  FrameReader from_provider{WsRole::server, 1 << 20};
  session::UpstreamId upstream = 0;
  std::size_t bytes_out = 0;

  static session::SessionOptions options() {
    session::SessionOptions made = session::test::usual_options();
    made.resume_window_ms = 30'000;
    return made;
  }

  void client(std::string_view frame) {
    session.client_said({from_client.take(frame).bytes, 1, {}}, clock);
    send(WsRole::client);
  }
  void provider(std::string_view frame) {
    session.upstream_said(upstream, {from_provider.take(frame).bytes, 1, {}}, clock);
    journal.sync();
    send(WsRole::server);
    send(WsRole::client);
  }
  void send(WsRole as) {
    const session::Outbox& outbox =
        as == WsRole::server ? session.to_client() : *session.outbox_of(upstream);
    while (outbox.ready(journal.synced)) {
      const auto message =
          as == WsRole::server ? session.take_for_client() : session.take_for(upstream);
      bytes_out += framed(as, message->bytes).size();
    }
  }
  void open() {
    upstream = session.take_dial(clock).value();
    session.upstream_opened(upstream, clock);
    for (const char* event :
         {R"({"type":"session.created","event_id":"e1","session":{"type":"realtime","id":"s"}})",
          R"({"type":"response.created","event_id":"e2","response":{"id":"resp_1"}})",
          R"({"type":"conversation.item.added","event_id":"e3","previous_item_id":null,"item":)"
          R"({"id":"item_1","type":"message","role":"assistant","content":[]}})"})
      provider(framed(WsRole::server, event));
  }
};

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: verbatim_message_cost append|audio|delta COUNT\n");
    return 2;
  }
  const std::string kind = words[1];
  Relay relay;
  relay.open();
  for (long number = std::atol(words[2]); number > 0; --number) {
    const std::string id = "event_" + std::to_string(100'000 + number);
    if (kind == "append") {
      relay.client(framed(WsRole::client, R"({"type":"input_audio_buffer.append","event_id":")" +
                                              id + R"(","audio":")" + speech + "\"}"));
    } else if (kind == "audio") {
      relay.provider(
          framed(WsRole::server, R"({"type":"response.output_audio.delta","event_id":")" + id +
                                     "\"," + part + speech + "\"}"));
    } else {
      relay.provider(framed(
          WsRole::server, R"({"type":"response.output_audio_transcript.delta","event_id":")" + id +
                              "\"," + part + R"( word"})"));
    }
  }
  std::printf("%zu bytes\n", relay.bytes_out);
  return relay.bytes_out > 0 ? 0 : 1;
}
