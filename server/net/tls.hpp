// TLS contexts: ours for clients, and the one that verifies the provider.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "server/net/async.hpp"

namespace verbatim::server {

struct CertificateFiles {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

/// Makes a self-signed certificate for localhost in `directory` (cert.pem, key.pem) if there is
/// none that will still be valid tomorrow. Throws std::runtime_error.
CertificateFiles ensure_self_signed(const std::filesystem::path& directory);

/// TLS 1.2 and later. Throws config::ConfigError naming the file that is wrong, and how; also if
/// certificate and key are not a pair.
std::shared_ptr<asio::ssl::context> server_context(const CertificateFiles& files);

/// Verifies the peer against the system's authorities, or those of `ca_file`.
asio::ssl::context client_context(const std::filesystem::path& ca_file);

/// Server name indication, and the check that the certificate is for `host`.
void expect_host(SSL* tls, const std::string& host);

}  // namespace verbatim::server
