// The folder that holds everything Verbatim keeps, and the lock that one server has on it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace verbatim::server {

class DataDir {
 public:
  /// Makes the folder (0700) if it is not there and locks it. Throws std::runtime_error that says
  /// what to do: not writable, or another server has it.
  explicit DataDir(std::filesystem::path path);
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  std::filesystem::path database() const { return path_ / "verbatim.db"; }
  std::filesystem::path tls() const { return path_ / "tls"; }

  std::filesystem::path token_secret_file() const { return path_ / "token_secret"; }

  /// The secret that client tokens are signed with; made once.
  std::string token_secret() const;

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

/// For commands that only look: where a server with this folder keeps its database.
std::filesystem::path database_in(const std::filesystem::path& data_dir);
/// Whether a server uses the folder now. Changes nothing in it.
bool is_served(const std::filesystem::path& data_dir);
/// The same secret, for `verbatim token`. Throws if it can not be read or made.
std::string token_secret_in(const std::filesystem::path& data_dir);

}  // namespace verbatim::server
