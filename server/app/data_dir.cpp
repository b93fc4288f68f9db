#include "server/app/data_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "server/net/tls.hpp"

namespace verbatim::app {

namespace {

constexpr std::size_t secret_bytes = 32;

[[noreturn]] void fail_folder(const std::string& what, const std::filesystem::path& path,
                              const std::string& advice) {
  throw std::runtime_error(what + " " + path.string() + ": " + std::strerror(errno) + ". " +
                           advice);
}

constexpr const char* advice =
    "Set server.data_dir to a directory that this user can write to, or change the owner.";

}  // namespace

std::filesystem::path database_in(const std::filesystem::path& data_dir) {
  return data_dir / "verbatim.db";
}

std::filesystem::path lock_in(const std::filesystem::path& data_dir) { return data_dir / "lock"; }

std::filesystem::path tls_in(const std::filesystem::path& data_dir) { return data_dir / "tls"; }

std::filesystem::path own_certificate_in(const std::filesystem::path& data_dir) {
  return net::self_signed_in(tls_in(data_dir)).certificate;
}

std::filesystem::path token_secret_file_in(const std::filesystem::path& data_dir) {
  return data_dir / "token_secret";
}

bool is_served(const std::filesystem::path& data_dir) {
  const int lock = ::open(lock_in(data_dir).c_str(), O_RDONLY | O_CLOEXEC);
  if (lock < 0) return false;
  // A shared lock, released at once: only a start at the same moment would see it.
  const bool taken = ::flock(lock, LOCK_SH | LOCK_NB) != 0;
  ::close(lock);
  return taken;
}

std::string token_secret_in(const std::filesystem::path& data_dir) {
  const std::filesystem::path path = token_secret_file_in(data_dir);
  // The first process to create the file wins; then both read the same.
  const int made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made >= 0) {
    const std::string secret = base64url(random_bytes(secret_bytes));
    const bool written =
        ::write(made, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size()) &&
        ::fsync(made) == 0;
    ::close(made);
    if (!written) {
      ::unlink(path.c_str());
      fail_folder("cannot write", path, advice);
    }
    return secret;
  }
  if (errno != EEXIST) fail_folder("cannot create", path, advice);
  std::ifstream file(path);
  std::string secret;
  std::getline(file, secret);
  if (secret.size() < secret_bytes) {
    throw std::runtime_error(path.string() +
                             " is not a token secret. Delete the file: the next start makes a new "
                             "secret, and all tokens minted so far become invalid.");
  }
  return secret;
}

DataDir::DataDir(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code ec;
  const bool made = std::filesystem::create_directories(path_, ec);
  if (ec) {
    errno = ec.value();
    fail_folder("cannot create the data directory", path_, advice);
  }
  if (made) ::chmod(path_.c_str(), 0700);
  const std::filesystem::path lock_file = lock_in(path_);
  lock_ = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) fail_folder("cannot write to the data directory", path_, advice);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    throw std::runtime_error("another verbatim process uses " + path_.string() +
                             ". Stop it, or set another directory with server.data_dir.");
  }
}

DataDir::~DataDir() { ::close(lock_); }

std::filesystem::path DataDir::database() const { return database_in(path_); }

std::filesystem::path DataDir::tls() const { return tls_in(path_); }

std::filesystem::path DataDir::token_secret_file() const { return token_secret_file_in(path_); }

std::string DataDir::token_secret() const { return token_secret_in(path_); }

}  // namespace verbatim::app
