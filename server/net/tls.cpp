#include "server/net/tls.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <stdexcept>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "config/settings.hpp"
#include "server/net/certificate.hpp"

namespace verbatim::net {

namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using File = std::unique_ptr<std::FILE, Freer<std::fclose>>;

constexpr long valid_seconds = 825L * 24 * 3600;  // the longest validity that browsers accept
constexpr long renew_before_seconds = 24 * 3600;

[[noreturn]] void fail(const std::string& what) {
  char text[256] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error(what + " (" + text + ")");
}

using Memory = std::unique_ptr<BIO, Freer<BIO_free_all>>;

std::string text_of(BIO* memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory, &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

bool still_valid(const std::filesystem::path& path) {
  const auto certificate = CertificateFile::read(path);
  return certificate && certificate->valid_until() > std::time(nullptr) + renew_before_seconds;
}

void add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (!extension) fail("cannot create a certificate");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void set_floor(asio::ssl::context& context) {
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  // Forward secrecy and authenticated encryption only.
  SSL_CTX_set_cipher_list(context.native_handle(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  // The order that browsers use: the longer key costs a third more and protects no better here.
  SSL_CTX_set_ciphersuites(
      context.native_handle(),
      "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
}

/// OpenSSL's reason for the first error in its queue.
std::string reason() {
  const char* const words = ERR_reason_error_string(ERR_peek_error());
  ERR_clear_error();
  return words == nullptr ? "its content is not valid" : words;
}

std::string readable(const std::filesystem::path& path) {
  std::error_code unknown;
  // Reading a pipe could block for ever, and with it the whole server.
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown))
    return "it is not a regular file";
  const File file(std::fopen(path.c_str(), "r"));
  return file ? std::string() : std::strerror(errno);
}

void load(SSL_CTX* context, const CertificateFiles& files) {
  const std::string certificate = "tls.cert_file " + files.certificate.string();
  const std::string key = "tls.key_file " + files.key.string();
  const std::string unusable = " cannot be used: ";
  ERR_clear_error();
  // Otherwise OpenSSL would wait for a password on the terminal.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
  if (const std::string why = readable(files.certificate); !why.empty())
    throw config::ConfigError(certificate + unusable + why);
  if (const std::string why = readable(files.key); !why.empty())
    throw config::ConfigError(key + unusable + why);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    throw config::ConfigError(certificate + unusable + reason());
  // Read separately, since a context cannot always distinguish a key of another certificate from a
  // broken key.
  const File file(std::fopen(files.key.c_str(), "r"));
  const Key private_key(
      file ? PEM_read_PrivateKey(
                 file.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr)
           : nullptr);
  if (!private_key) {
    throw config::ConfigError(key + unusable + reason() +
                              "; it must be a private key in PEM, without a passphrase");
  }
  if (X509_check_private_key(SSL_CTX_get0_certificate(context), private_key.get()) != 1) {
    ERR_clear_error();
    throw config::ConfigError(key + " is not the key of the first certificate in " + certificate +
                              ": they are not a pair. A chain begins with the relay's own "
                              "certificate.");
  }
  if (SSL_CTX_use_PrivateKey(context, private_key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    throw config::ConfigError(key + unusable + reason());
}

}  // namespace

CertificateFiles self_signed_in(const std::filesystem::path& directory) {
  return {directory / "cert.pem", directory / "key.pem"};
}

CertificateFiles ensure_self_signed(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  CertificateFiles files = self_signed_in(directory);
  if (still_valid(files.certificate) && std::filesystem::exists(files.key)) return files;

  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  if (!key || !certificate) fail("cannot create a key");
  X509_set_version(certificate.get(), 2);
  const std::string serial = random_bytes(8);
  std::int64_t number = 0;
  for (const unsigned char c : serial) number = (number << 7) | (c & 0x7F);
  ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate.get()), number);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid_seconds);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  add_extension(certificate.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  if (X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0)
    fail("cannot sign the certificate");

  const Memory key_text(BIO_new(BIO_s_mem()));
  const Memory certificate_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1)
    fail("cannot write a certificate");
  write_file_atomically(files.key, text_of(key_text.get()), 0600);
  write_file_atomically(files.certificate, text_of(certificate_text.get()), 0644);
  return files;
}

std::shared_ptr<asio::ssl::context> server_context(const CertificateFiles& files) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  set_floor(*context);
  load(context->native_handle(), files);
  return context;
}

std::int64_t certificate_expiry_s(asio::ssl::context& context) {
  const X509* const certificate = SSL_CTX_get0_certificate(context.native_handle());
  return certificate == nullptr ? 0 : seconds_of(X509_get0_notAfter(certificate));
}

asio::ssl::context client_context(const std::filesystem::path& ca_file) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  set_floor(context);
  context.set_verify_mode(asio::ssl::verify_peer);
  error_code ec;
  if (ca_file.empty()) {
    context.set_default_verify_paths(ec);
  } else {
    std::string why = readable(ca_file);
    if (why.empty()) {
      context.load_verify_file(ca_file.string(), ec);
      if (ec) why = ec.message();
    }
    if (!why.empty()) {
      throw config::ConfigError("upstream.ca_file " + ca_file.string() + " cannot be used: " + why);
    }
  }
  return context;
}

void expect_host(SSL* tls, const std::string& host) {
  X509_VERIFY_PARAM* const expected = SSL_get0_param(tls);
  error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  if (not_an_address) {
    SSL_set_tlsext_host_name(tls, host.c_str());
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size()) != 1) fail("host " + host);
  } else if (X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) != 1) {
    fail("address " + host);
  }
}

}  // namespace verbatim::net
