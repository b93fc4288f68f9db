// Reads the validity and the names of a certificate, for checks before a start.
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

/// The first certificate of a PEM file: the server's own.
class CertificateFile {
 public:
  /// Empty if the file has no readable certificate.
  static std::optional<CertificateFile> read(const std::filesystem::path& path);

  /// Seconds since 1970.
  std::int64_t valid_from() const;
  std::int64_t valid_until() const;
  /// `host`: a name or an address.
  bool is_for(const std::string& host) const;
  bool is_self_signed() const;

 private:
  explicit CertificateFile(X509* certificate) : certificate_(certificate, X509_free) {}
  std::shared_ptr<X509> certificate_;
};

}  // namespace verbatim::net
