// The data directory and its lock: one server uses it at a time. Errors are exceptions.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace verbatim::app {

class DataDir {
 public:
  /// Creates the directory (0700) if it does not exist, and locks it until destruction. Throws
  /// std::runtime_error with advice: it is not writable, or another server uses it.
  explicit DataDir(std::filesystem::path path);
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  std::filesystem::path database() const;
  std::filesystem::path tls() const;
  std::filesystem::path token_secret_file() const;

  /// The secret that signs client tokens; created once.
  std::string token_secret() const;

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

/// The files of a server with this directory, for commands and checks.
std::filesystem::path database_in(const std::filesystem::path& data_dir);
std::filesystem::path lock_in(const std::filesystem::path& data_dir);
std::filesystem::path tls_in(const std::filesystem::path& data_dir);
/// The certificate that the server makes if none is configured.
std::filesystem::path own_certificate_in(const std::filesystem::path& data_dir);
std::filesystem::path token_secret_file_in(const std::filesystem::path& data_dir);
/// Whether a server uses the directory now. Changes nothing in it.
bool is_served(const std::filesystem::path& data_dir);
/// The same secret, for `verbatim token`. Throws if it cannot be read or created.
std::string token_secret_in(const std::filesystem::path& data_dir);

}  // namespace verbatim::app
