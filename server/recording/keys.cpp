#include "server/recording/keys.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/aead.hpp"
#include "base/assert.hpp"
#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "base/lines.hpp"
#include "server/recording/disk_file.hpp"
#include "server/recording/track_files.hpp"

namespace verbatim::recording {

namespace {

namespace fs = std::filesystem;

/// The key file is one line: this word, the id of the master key, the wrapped key.
constexpr std::string_view key_word = "verbatim-recording-key-1";
constexpr std::size_t key_file_bytes_max = 1024;

/// The bytes of hexadecimal digits; empty if there is another character.
std::string from_hex(std::string_view digits) {
  const auto value = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const int high = value(digits[i]);
    const int low = value(digits[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::string place_of(const std::string& session_id) {
  return std::string(key_word) + "\n" + session_id;
}

struct WrappedKey {
  std::string master_id;
  std::string nonce_and_key;
};

tl::expected<WrappedKey, Trouble> read_key_file(const fs::path& path) {
  const DiskFile file = DiskFile::open(path);
  std::string text(key_file_bytes_max, '\0');
  const std::int64_t got = file ? file.read(0, text.data(), text.size()) : -1;
  if (got < 0) return tl::unexpected(system_trouble(path.filename().string()));
  text.resize(static_cast<std::size_t>(got));
  const Trouble damaged{TroubleKind::damaged,
                        path.filename().string() + " is not a key as it was written"};
  if (!text.starts_with(std::string(key_word) + ' ') || !text.ends_with('\n'))
    return tl::unexpected(damaged);
  text.pop_back();
  const std::size_t id_at = key_word.size() + 1;
  const std::size_t key_at = text.find(' ', id_at);
  if (text.size() <= id_at || key_at == text.npos) return tl::unexpected(damaged);
  const auto wrapped = from_base64url(std::string_view(text).substr(key_at + 1));
  if (!wrapped || wrapped->size() != aead::nonce_bytes + aead::key_bytes + aead::tag_bytes)
    return tl::unexpected(damaged);
  return WrappedKey{text.substr(id_at, key_at - id_at), *wrapped};
}

bool write_key_file(const fs::path& path, const std::string& text) {
  const fs::path aside = path.string() + ".tmp";
  std::error_code ec;
  fs::remove(aside, ec);
  DiskFile file = DiskFile::create(aside);
  if (!file || !file.append(text) || !file.sync()) return false;
  fs::rename(aside, path, ec);
  errno = ec.value();
  return !ec && sync_folder(path.parent_path());
}

bool has_sealed(const fs::path& directory, const std::string& session_id) {
  for (const TrackFile& one : list_tracks(directory, session_id))
    if (one.form == Form::sealed && !one.unfinished) return true;
  return false;
}

}  // namespace

std::string key_id(std::string_view key) {
  return sha256("verbatim recording key id\n" + std::string(key)).substr(0, key_id_bytes);
}

MasterKeys::MasterKeys(const Secret& lines) {
  for (const std::string_view line : lines_of(lines.reveal())) {
    if (line.size() != 2 * aead::key_bytes) continue;
    std::string key = from_hex(line);
    if (key.size() == aead::key_bytes) keys_.push_back(std::move(key));
  }
}

const std::string* MasterKeys::find(std::string_view id) const {
  for (const std::string& key : keys_)
    if (to_hex(key_id(key)) == id) return &key;
  return nullptr;
}

fs::path key_file_of(const fs::path& directory, const std::string& session_id) {
  return folder_of(directory, session_id) / "session.key";
}

std::optional<std::string> master_key_needed(const fs::path& directory,
                                             const std::string& session_id) {
  auto wrapped = read_key_file(key_file_of(directory, session_id));
  if (!wrapped) return std::nullopt;
  return std::move(wrapped->master_id);
}

tl::expected<SessionKey, Trouble> read_session_key(const fs::path& directory,
                                                   const std::string& session_id,
                                                   const MasterKeys& masters) {
  const auto wrapped = read_key_file(key_file_of(directory, session_id));
  if (!wrapped) return tl::unexpected(wrapped.error());
  const std::string* const master = masters.find(wrapped->master_id);
  if (master == nullptr)
    return tl::unexpected(Trouble{
        TroubleKind::key_missing,
        "the audio is encrypted, and recording.key_file lacks the key " + wrapped->master_id});
  const std::string_view bytes = wrapped->nonce_and_key;
  auto key = aead::open(*master, bytes.substr(0, aead::nonce_bytes), place_of(session_id),
                        bytes.substr(aead::nonce_bytes));
  if (!key)
    return tl::unexpected(Trouble{
        TroubleKind::damaged, "session.key was changed, or belongs to another session's folder"});
  std::string id = key_id(*key);
  return SessionKey{*std::move(key), std::move(id)};
}

tl::expected<SessionKey, Trouble> make_session_key(const fs::path& directory,
                                                   const std::string& session_id,
                                                   const MasterKeys& masters) {
  VERBATIM_EXPECTS(!masters.empty());
  auto known = read_session_key(directory, session_id, masters);
  if (known || known.error().kind != TroubleKind::none_there) return known;
  // Another key would make what is there unreadable for ever. Perhaps the file comes back.
  if (has_sealed(directory, session_id))
    return tl::unexpected(
        Trouble{TroubleKind::damaged, "session.key is gone, and encrypted audio needs it"});
  SessionKey made;
  made.bytes = random_bytes(aead::key_bytes);
  made.id = key_id(made.bytes);
  const std::string nonce = random_bytes(aead::nonce_bytes);
  const auto wrapped = aead::seal(masters.current(), nonce, place_of(session_id), made.bytes);
  const fs::path path = key_file_of(directory, session_id);
  if (!wrapped ||
      !write_key_file(path, std::string(key_word) + " " + to_hex(key_id(masters.current())) + " " +
                                base64url(nonce + *wrapped) + "\n"))
    return tl::unexpected(system_trouble(path.filename().string()));
  return made;
}

}  // namespace verbatim::recording
