// Reads a certificate file: its validity, its names and its key.
//
// On the caller's thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <openssl/x509.h>

namespace verbatim::net {

/// Seconds since 1970; 0 if the time is not valid.
std::int64_t seconds_of(const ASN1_TIME* time);

/// The first certificate of a PEM file: the server's own.
class CertificateFile {
 public:
  /// Empty if the file has no readable certificate.
  static std::optional<CertificateFile> read(const std::filesystem::path& path);

  /// As seconds_of().
  std::int64_t valid_from() const;
  std::int64_t valid_until() const;
  /// `host`: a name or an address.
  bool is_for(const std::string& host) const;
  bool is_self_signed() const;
  /// The SHA-256 of the public key, as 32 raw bytes; empty if the key cannot be read.
  std::string key_digest() const;

 private:
  explicit CertificateFile(X509* certificate) : certificate_(certificate, X509_free) {}
  std::shared_ptr<X509> certificate_;
};

}  // namespace verbatim::net
