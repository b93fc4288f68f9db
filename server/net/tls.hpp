// TLS contexts: one for client connections, and one that verifies the provider.
//
// Called at start and at a certificate reload, on the caller's thread. Errors are exceptions, named
// at each function. The contexts are shared by all connections.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "server/net/async.hpp"

namespace verbatim::net {

struct CertificateFiles {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

/// The files of ensure_self_signed(): cert.pem and key.pem.
CertificateFiles self_signed_in(const std::filesystem::path& directory);

/// Makes a self-signed certificate for localhost in `directory`. Keeps an
/// existing one that is valid for at least one more day. Throws std::runtime_error.
CertificateFiles ensure_self_signed(const std::filesystem::path& directory);

/// A context for client connections: TLS 1.2 and later. Throws config::ConfigError, which names the
/// wrong file and the fault; a key that does not match the certificate is such a fault.
std::shared_ptr<asio::ssl::context> server_context(const CertificateFiles& files);

/// Unix seconds until which the certificate of a server's context is valid.
std::int64_t certificate_expiry_s(asio::ssl::context& context);

/// A context that verifies the peer against the authorities in `ca_file`, or the system's if it is
/// empty. Throws config::ConfigError if the file cannot be loaded.
asio::ssl::context client_context(const std::filesystem::path& ca_file);

/// Sends `host` as server name indication, and requires that the peer's certificate is for `host`.
void expect_host(SSL* tls, const std::string& host);

}  // namespace verbatim::net
