#include "server/net/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <ctime>
#include <system_error>

#include "base/crypto.hpp"

namespace verbatim::net {

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(timegm(&parts)) : 0;
}

std::optional<CertificateFile> CertificateFile::read(const std::filesystem::path& path) {
  std::error_code unknown;
  // Reading a pipe could block for ever, a device never end.
  if (!std::filesystem::is_regular_file(path, unknown)) return std::nullopt;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (!file) return std::nullopt;
  X509* const certificate = PEM_read_X509_AUX(
      file.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr);
  ERR_clear_error();
  if (certificate == nullptr) return std::nullopt;
  return CertificateFile(certificate);
}

std::int64_t CertificateFile::valid_from() const {
  return seconds_of(X509_get0_notBefore(certificate_.get()));
}

std::int64_t CertificateFile::valid_until() const {
  return seconds_of(X509_get0_notAfter(certificate_.get()));
}

bool CertificateFile::is_for(const std::string& host) const {
  if (X509_check_ip_asc(certificate_.get(), host.c_str(), 0) == 1) return true;
  return X509_check_host(certificate_.get(), host.c_str(), host.size(), 0, nullptr) == 1;
}

bool CertificateFile::is_self_signed() const {
  return X509_self_signed(certificate_.get(), 0) == 1;
}

std::string CertificateFile::key_digest() const {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate_.get()), &bytes);
  if (size <= 0) return {};
  const std::string key(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return sha256(key);
}

}  // namespace verbatim::net
