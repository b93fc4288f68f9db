// Declares the settings of the listener, HTTP and TLS.
#include "config/declare.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

std::vector<Key> make_server_keys() {
  return {
      key("server.listen", &S::server, &Server::listen, {"127.0.0.1", 8443}, endpoint(false),
          "Address for clients, the HTTP API and the console. The default is this machine only; "
          "any other address needs auth.api_keys or auth.token_secret_file."),
      key("server.data_dir", &S::server, &Server::data_dir, "data", path("a directory", false),
          "All data: journal, transcripts, full-text index, recorded audio, token secret, the "
          "self-signed certificate."),
      key("server.allowed_origins", &S::server, &Server::allowed_origins, {}, origins(),
          "Origins of browser pages that may connect. Pages of this relay itself always may. "
          "The origin is checked if the token comes in a subprotocol, or if no token is needed: "
          "only pages connect in this way. It is compared in lower case, without the scheme's "
          "usual port.",
          live),
      key("server.public_url", &S::server, &Server::public_url, {}, public_url(),
          "The URL by which clients reach this relay, if it differs from `listen`: behind a "
          "proxy that ends TLS, under another name or below a path. It is the relay's own "
          "origin for pages, and the base of links.",
          live),
      key("server.trusted_proxies", &S::server, &Server::trusted_proxies, {}, networks(),
          "Proxies that may state a client's address: by X-Forwarded-For and X-Forwarded-Proto, "
          "or by PROXY protocol v2 before the first byte. The client is the last address of "
          "X-Forwarded-For that is not a trusted proxy. From other peers such headers are "
          "ignored, since every client can send them.",
          live),
      key("server.shutdown_grace", &S::server, &Server::shutdown_grace, 8s, duration(0s, 10min),
          "The time from SIGTERM to the end of the process: for closes, open requests and the "
          "journal's last write together. A second before the end, connections that are still open "
          "are "
          "aborted. Stay below the limit of the supervisor (systemd 90s, Docker 10s).",
          live),
      key("server.restart", &S::server, &Server::restart, Restart::end,
          choice<Restart>({{"end", Restart::end}, {"handover", Restart::handover}}),
          "The effect of SIGTERM on conversations. `end` ends them. `handover` closes clients with "
          "1012 (come back), and the next process with this data directory continues the "
          "conversations of clients that come back within session.resume_window.",
          live),
      key("server.console", &S::server, &Server::console, true, boolean(),
          "Serve the web console at `/`, and the examples of the client library at `/examples`. "
          "The pages have no secrets: the console reads from the API with the key that its user "
          "enters.",
          live),
      key("server.threads", &S::server, &Server::threads, 0, number<int>(0, 256),
          "Worker threads, which serve the connections. 0: one for each core."),
      key("server.connections_max", &S::server, &Server::connections_max, 4'096,
          number<std::size_t>(1, 1'000'000),
          "Connections of any kind at once, so that file descriptors and memory do not run out.",
          live),
      key("server.connections_per_address", &S::server, &Server::connections_per_address, 0,
          number<std::size_t>(0, 1'000'000),
          "Connections of one address at once (an IPv6 /64 network counts as one). 0: a quarter "
          "of connections_max. One more replaces an idle one of the same address; if there is "
          "none, the new one is closed. Loopback and server.trusted_proxies have no such limit; "
          "the addresses behind them do.",
          live),
      key("server.header_bytes_max", &S::server, &Server::header_bytes_max, 16 * KiB,
          bytes(KiB, MiB),
          "A request's line and headers. A client token must fit in with 2KiB to spare for the "
          "other lines.",
          live),
      key("server.body_bytes_max", &S::server, &Server::body_bytes_max, 4 * MiB, bytes(KiB, GiB),
          "A request's body. The largest are posted transcripts.", live),
      key("server.bodies_bytes_max", &S::server, &Server::bodies_bytes_max, 64 * MiB,
          bytes(64 * KiB, 1024 * GiB),
          "Memory for the bodies of all requests together, from arrival until they are handled. "
          "A request beyond it gets 503. The first 16 KiB of a body are not counted, so short "
          "requests are always served (server.connections_max bounds them). Client tokens "
          "together get half, the tokens of one user an eighth. A value below four times "
          "server.body_bytes_max is raised to that. A body is never read if the route does not "
          "use it or the sender may not send it.",
          live),
      key("server.answers_bytes_max", &S::server, &Server::answers_bytes_max, 128 * MiB,
          bytes(64 * KiB, 1024 * GiB),
          "Memory for the answers to all requests together, until the peer has read them, for "
          "server.request_timeout at most. An answer beyond it gets 503. Answers of up to 64 KiB "
          "are not counted, so short ones are always sent (server.connections_max bounds them). "
          "Client tokens together get half; the tokens of one user, or a session that back ends "
          "read, get an eighth. An answer may exceed these bounds if it is the only one of its "
          "kind (docs/limits.md).",
          live),
      key("server.handshake_timeout", &S::server, &Server::handshake_timeout, 5s,
          duration(100ms, 5min),
          "Time for the TLS handshake, and for the headers of each request from the first byte. "
          "It bounds peers that stay silent or send byte after byte.",
          live),
      key("server.request_timeout", &S::server, &Server::request_timeout, 30s, duration(100ms, 1h),
          "Time for one request's body and its answer. Long-polling adds its own wait.", live),
      key("server.keep_alive_timeout", &S::server, &Server::keep_alive_timeout, 75s,
          duration(100ms, 1h), "How long an idle HTTP connection is kept for the next request.",
          live),
      key("server.large_message_bytes", &S::server, &Server::large_message_bytes, 256 * MiB,
          bytes(64 * KiB, 1024 * GiB),
          "Memory for all large messages (beyond 64 KiB) of all connections, from arrival until "
          "they have been sent on. A large message is read when there is room for it; small "
          "messages never wait. One user, or one conversation of a back end, may hold a part of it "
          "and one message more (docs/limits.md). So other users do not wait for a stalled "
          "message. A value below the larger of "
          "session.client_message_bytes_max and upstream.message_bytes_max is raised to it.",
          live),
      key("server.large_message_timeout", &S::server, &Server::large_message_timeout, 30s,
          duration(100ms, 1h),
          "Each MiB of a large message must arrive within this time, so that a stalled or slow "
          "one does not hold memory for ever. Otherwise the connection closes with 1008, and its "
          "client can reconnect.",
          live),
      key("server.core_dumps", &S::server, &Server::core_dumps, false, boolean(),
          "Allow core dumps, and tracing (gdb, strace) by other processes of the same user. Off "
          "by default: the memory holds the provider's key, tokens and what is said."),
      key("tls.enabled", &S::tls, &Tls::enabled, true, boolean(),
          "Turn TLS off only behind a proxy that speaks TLS itself, or on a loopback address."),
      key("tls.cert_file", &S::tls, &Tls::cert_file, {}, path("a PEM file, or nothing"),
          "Certificate chain, the relay's own first, and its private key, without a passphrase. "
          "Empty: a self-signed certificate for localhost is made in the data directory. If the "
          "two do not match, `verbatim check` and the start fail. SIGHUP reads both again; if "
          "they do not match then, the old pair stays in use and the log says why.",
          live),
      watched(key("tls.key_file", &S::tls, &Tls::key_file, {}, path("a PEM file, or nothing"),
                  with_the_last, live),
              the_file),
      key("tls.hsts_max_age", &S::tls, &Tls::hsts_max_age, 365 * day, duration(0s, 3650 * day),
          "How long browsers must use TLS for this host, even for plain links (HSTS, RFC 6797). "
          "0s: the header is not sent. Never sent under the name localhost, which servers "
          "without TLS share. Browsers remember the last value, so lower it before you serve "
          "this name without TLS.",
          live),
  };
}

}  // namespace verbatim::config
