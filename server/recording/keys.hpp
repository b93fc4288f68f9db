// The keys of encrypted recordings. A master key, from recording.key_file, wraps one key for each
// session; that key wraps the key of each file. The session's wrapped key is a file in the
// session's folder, so that an erasure removes it with the audio.
//
// Any thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/secret.hpp"
#include "server/recording/trouble.hpp"

namespace verbatim::recording {

inline constexpr std::size_t key_id_bytes = 8;

/// Recognises a key without showing any of it: the beginning of a digest, in bytes.
std::string key_id(std::string_view key);

class MasterKeys {
 public:
  MasterKeys() = default;
  /// One key a line, as 64 hexadecimal digits; the first one wraps new keys. Other lines
  /// are left out: the configuration has checked them.
  explicit MasterKeys(const Secret& lines);

  bool empty() const { return keys_.empty(); }
  /// Precondition: there are keys.
  const std::string& current() const { return keys_.front(); }
  /// Null: not configured. `id`: in hexadecimal.
  const std::string* find(std::string_view id) const;

 private:
  std::vector<std::string> keys_;
};

struct SessionKey {
  std::string bytes;
  std::string id;
};

/// The file of a session's wrapped key.
std::filesystem::path key_file_of(const std::filesystem::path& directory,
                                  const std::string& session_id);
/// The master key that the session's key needs, in hexadecimal; nullopt: the session has no key.
std::optional<std::string> master_key_needed(const std::filesystem::path& directory,
                                             const std::string& session_id);

tl::expected<SessionKey, Trouble> read_session_key(const std::filesystem::path& directory,
                                                   const std::string& session_id,
                                                   const MasterKeys& masters);
/// Makes the key if the session has none, and no file that needs one. It is on the disk then.
tl::expected<SessionKey, Trouble> make_session_key(const std::filesystem::path& directory,
                                                   const std::string& session_id,
                                                   const MasterKeys& masters);

}  // namespace verbatim::recording
