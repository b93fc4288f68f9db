#include "storage/sqlite/wal_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <span>
#include <vector>

#include "storage/sqlite/files.hpp"
#include "storage/sqlite/store_files.hpp"

namespace verbatim::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;
constexpr std::uint32_t magic = 0x377f0682;  ///< the lowest bit set: checksums use big-endian words
constexpr std::uint32_t format_version = 3007000;

using Bytes = std::span<const unsigned char>;

std::uint32_t big_endian(const unsigned char* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
         std::uint32_t{at[3]};
}

std::uint32_t native(const unsigned char* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

struct Checksum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  friend bool operator==(const Checksum&, const Checksum&) = default;

  static Checksum stored_at(const unsigned char* at) {
    return {big_endian(at), big_endian(at + 4)};
  }
  Checksum over(Bytes bytes, bool big) const {
    Checksum sum = *this;
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      const unsigned char* const at = bytes.data() + i;
      const auto little = [](const unsigned char* word) {
        return std::uint32_t{word[3]} << 24 | std::uint32_t{word[2]} << 16 |
               std::uint32_t{word[1]} << 8 | std::uint32_t{word[0]};
      };
      sum.first += (big ? big_endian(at) : little(at)) + sum.second;
      sum.second += (big ? big_endian(at + 4) : little(at + 4)) + sum.first;
    }
    return sum;
  }
};

bool is_page_size(std::size_t size) {
  return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

/// The WAL as a sequence of frames.
class LogFile {
 public:
  explicit LogFile(const fs::path& file) : file_(file), in_(file, std::ios::binary) {
    if (!in_) throw system_error(file, "cannot be read", errno);
    read_into(header_);
  }

  bool has_valid_header() const {
    if ((big_endian(&header_[0]) & ~1U) != magic || big_endian(&header_[4]) != format_version)
      return false;
    return is_page_size(big_endian(&header_[8])) &&
           Checksum{}.over(Bytes(header_).first(24), big()) == seed();
  }
  std::size_t page_size() const { return big_endian(&header_[8]); }
  bool big() const { return (big_endian(&header_[0]) & 1U) != 0; }
  Bytes salts() const { return Bytes(header_).subspan(16, 8); }
  Checksum seed() const { return Checksum::stored_at(&header_[24]); }

  /// Reads the next frame, with pages of this size. False at the end, or if a frame is incomplete.
  bool next(std::size_t page_bytes) {
    frame_.resize(frame_header_bytes + page_bytes);
    return read_into(frame_);
  }
  std::uint32_t page_number() const { return big_endian(&frame_[0]); }
  bool commits() const { return big_endian(&frame_[4]) != 0; }
  bool has_salts(Bytes salts) const { return std::memcmp(&frame_[8], salts.data(), 8) == 0; }
  Checksum stored() const { return Checksum::stored_at(&frame_[16]); }
  Bytes page() const { return Bytes(frame_).subspan(frame_header_bytes); }
  Bytes frame_salts() const { return Bytes(frame_).subspan(8, 8); }
  /// True if this frame is intact and follows one with the checksum `before`.
  bool follows(const Checksum& before, bool big_words) const {
    return before.over(Bytes(frame_).first(8), big_words).over(page(), big_words) == stored();
  }

 private:
  template <class Buffer>
  bool read_into(Buffer& buffer) {
    in_.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(buffer.size()));
    if (in_.bad()) throw system_error(file_, "cannot be read", errno);
    return in_.gcount() == static_cast<std::streamsize>(buffer.size());
  }

  const fs::path file_;
  std::ifstream in_;
  std::array<unsigned char, header_bytes> header_{};
  std::vector<unsigned char> frame_;
};

/// The content of the WAL index. SQLite updates it only after it has synced a commit.
struct Index {
  std::size_t frames = 0;
  std::size_t moved = 0;
  std::array<unsigned char, 8> salts{};
};

std::optional<Index> read_index(const fs::path& file) {
  constexpr std::size_t copy_bytes = 48;
  std::array<unsigned char, 2 * copy_bytes + 4> bytes{};
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
  if (in.gcount() != static_cast<std::streamsize>(bytes.size())) return std::nullopt;
  if (std::memcmp(&bytes[0], &bytes[copy_bytes], copy_bytes) != 0) return std::nullopt;
  const bool initialised = bytes[12] != 0;
  if (native(&bytes[0]) != format_version || !initialised) return std::nullopt;
  // Words are in the machine's byte order: the index is shared memory and never leaves the machine.
  Checksum sum;
  for (std::size_t i = 0; i < 40; i += 8) {
    sum.first += native(&bytes[i]) + sum.second;
    sum.second += native(&bytes[i + 4]) + sum.first;
  }
  if (sum != Checksum{native(&bytes[40]), native(&bytes[44])}) return std::nullopt;
  Index index;
  index.frames = native(&bytes[16]);
  index.moved = std::min<std::size_t>(native(&bytes[2 * copy_bytes]), index.frames);
  std::memcpy(index.salts.data(), &bytes[32], index.salts.size());
  return index;
}

/// True if, behind the bad frame, one transaction ends and another begins. Then the first of the
/// two was synced, and the bad frame was synced with it or before it. The bad frame's own header is
/// not trusted: one of its sectors may hold older bytes.
bool look_behind_bad_frame(LogFile& log, LogReport& report) {
  bool later_transaction = false;
  bool ended = false;
  Checksum before = log.stored();
  while (log.next(log.page_size())) {
    const bool whole = log.has_salts(log.salts()) && log.follows(before, log.big());
    before = log.stored();
    if (whole) {
      ++report.frames_behind;
      later_transaction |= ended;
    }
    ended = whole && log.commits();
  }
  return later_transaction;
}

void read_frames(LogFile& log, const std::optional<Index>& index, LogReport& report) {
  report.state = store::LogState::whole;
  Checksum sum = log.seed();
  std::size_t frame = 0;
  bool synced_before = false;
  while (log.next(log.page_size())) {
    if (!log.has_salts(log.salts()) || !log.follows(sum, log.big())) {
      synced_before = look_behind_bad_frame(log, report);
      break;
    }
    sum = log.stored();
    ++frame;
    if (log.commits()) report.frames = frame;
  }
  if (index && std::memcmp(index->salts.data(), log.salts().data(), 8) == 0) {
    report.frames_by_index = index->frames;
    report.frames_moved = index->moved;
  }
  if (synced_before || report.frames_by_index.value_or(0) > report.frames) {
    report.state = store::LogState::damaged;
  } else if (report.frames_behind > 0) {
    report.state = store::LogState::cut_short;
  }
}

std::size_t page_size_of(const fs::path& database) {
  std::array<unsigned char, 18> bytes{};
  std::ifstream in(database, std::ios::binary);
  in.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
  const std::size_t size = std::size_t{bytes[16]} << 8 | bytes[17];
  return size == 1 ? 65536 : size;
}

/// Counts the pages that differ between the database and the WAL's last commit. SQLite rewrites a
/// WAL header only after it has moved all frames: a header torn at that moment loses nothing.
std::optional<std::size_t> compare_with_database(LogFile& log, const fs::path& database) {
  const std::size_t page_bytes = page_size_of(database);
  if (!is_page_size(page_bytes)) return std::nullopt;
  std::map<std::uint32_t, std::vector<unsigned char>> committed;
  std::map<std::uint32_t, std::vector<unsigned char>> open;
  std::vector<unsigned char> salts;
  while (log.next(page_bytes)) {
    if (salts.empty()) salts.assign(log.frame_salts().begin(), log.frame_salts().end());
    if (!log.has_salts(salts) || log.page_number() == 0) break;
    open[log.page_number()].assign(log.page().begin(), log.page().end());
    if (!log.commits()) continue;
    for (auto& [number, page] : open) committed[number] = std::move(page);
    open.clear();
  }
  if (committed.empty()) return std::nullopt;
  std::ifstream in(database, std::ios::binary);
  std::vector<unsigned char> page(page_bytes);
  std::size_t differ = 0;
  for (const auto& [number, wanted] : committed) {
    in.clear();
    in.seekg(static_cast<std::streamoff>((number - 1) * std::uint64_t{page_bytes}));
    in.read(reinterpret_cast<char*>(page.data()), static_cast<std::streamsize>(page_bytes));
    if (in.gcount() != static_cast<std::streamsize>(page_bytes) || page != wanted) ++differ;
  }
  return differ;
}

/// True if the database uses a WAL at all; a backup does not.
bool uses_log(const fs::path& database) {
  std::array<char, 20> bytes{};
  std::ifstream in(database, std::ios::binary);
  in.read(bytes.data(), bytes.size());
  return bytes[18] == 2 && bytes[19] == 2;
}

std::string count_of(std::size_t frames) {
  return std::to_string(frames) + (frames == 1 ? " frame" : " frames");
}

constexpr const char* keep_a_copy =
    "; rows that were in the database before are kept. Copy all three files before the next start: "
    "the copy may show what else there was";

store::LogFinding lost_log(const LogReport& report, const char* is_what) {
  store::LogFinding finding;
  finding.what = std::string(is_what) + " although the last program did not end in order";
  if (!report.frames_by_index) {
    finding.lost = report.state == store::LogState::missing;
    finding.what +=
        finding.lost
            ? ": the rows that had not been moved into the database are lost"
            : ": no rows are lost only if the program was killed just after it emptied the WAL";
  } else if (*report.frames_by_index > report.frames_moved) {
    finding.lost = true;
    finding.what += ", and its index counts " +
                    count_of(*report.frames_by_index - report.frames_moved) +
                    " that had not been moved into the database";
  } else {
    finding.what += "; its index shows that all of it had been moved into the database";
  }
  if (finding.lost) finding.what += keep_a_copy;
  return finding;
}

store::LogFinding unreadable_log(const LogReport& report) {
  store::LogFinding finding;
  finding.what = "its header is damaged, so SQLite reads nothing from it";
  finding.lost = report.pages_not_in_database != 0;
  if (!report.pages_not_in_database) {
    finding.what += "; it is unknown whether the database lacks some of its rows";
  } else if (finding.lost) {
    finding.what += "; the database lacks its last version of " +
                    std::to_string(*report.pages_not_in_database) + " pages";
  } else {
    finding.what += "; the database has everything that was committed in it";
  }
  if (finding.lost) finding.what += keep_a_copy;
  return finding;
}

store::LogFinding cut_log(const LogReport& report) {
  store::LogFinding finding;
  finding.lost = report.state == store::LogState::damaged;
  finding.what = "cut short after " + count_of(report.frames) +
                 ": the next one is damaged or missing, and " + count_of(report.frames_behind) +
                 " of the same log behind it cannot be used";
  if (!finding.lost) {
    finding.what += "; they belong to a commit that was not durable; a power cut explains this";
    return finding;
  }
  finding.what += "; rows that were durable are among them";
  if (report.frames_by_index)
    finding.what += " (its index counts " + count_of(*report.frames_by_index) + ")";
  finding.what += keep_a_copy;
  return finding;
}

}  // namespace

bool has_readable_log(const fs::path& database) {
  const fs::path file = log_of(database);
  std::error_code gone;
  const auto bytes = fs::file_size(file, gone);
  return !gone && bytes > header_bytes && LogFile(file).has_valid_header();
}

LogReport read_log(const fs::path& database) {
  LogReport report;
  report.expected = uses_log(database);
  const fs::path file = log_of(database);
  const std::optional<Index> index = read_index(index_of(database));
  const auto take_index = [&] {
    if (!index) return;
    report.frames_by_index = index->frames;
    report.frames_moved = index->moved;
  };
  std::error_code gone;
  const auto bytes = fs::file_size(file, gone);
  if (gone || bytes == 0) {
    report.state = gone ? store::LogState::missing : store::LogState::empty;
    take_index();
    return report;
  }
  LogFile log(file);
  if (log.has_valid_header()) {
    read_frames(log, index, report);
  } else if (bytes <= header_bytes) {
    report.state =
        store::LogState::empty;  // its first header was not synced, so no frame was either
  } else {
    report.state = store::LogState::unreadable;
    report.pages_not_in_database = compare_with_database(log, database);
  }
  return report;
}

std::optional<store::LogFinding> judge_log(const fs::path& database, const LogReport& report,
                                           bool clean) {
  store::LogFinding finding;
  switch (report.state) {
    case store::LogState::whole:
      return std::nullopt;
    case store::LogState::missing:
    case store::LogState::empty:
      if (clean || !report.expected) return std::nullopt;
      finding = lost_log(
          report, report.state == store::LogState::missing ? "it is missing" : "it is empty");
      break;
    case store::LogState::unreadable:
      finding = unreadable_log(report);
      break;
    case store::LogState::cut_short:
    case store::LogState::damaged:
      finding = cut_log(report);
      break;
  }
  finding.log = log_of(database);
  finding.state = report.state;
  return finding;
}

}  // namespace verbatim::sqlite
