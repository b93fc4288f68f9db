#include "storage/journal/spill_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "base/checksum.hpp"
#include "base/files.hpp"

namespace verbatim::journal {

namespace {

/// The header of each record, in the machine's byte order.
struct Header {
  std::uint32_t size = 0;
  std::uint32_t checksum = 0;
};

/// Most records are shorter: one read returns header and content.
constexpr std::size_t first_read = 1024;

/// Reads until `most` bytes or the end of the file; -1 with errno on an error.
ssize_t read_at(int file, char* into, std::size_t most, std::uint64_t from) {
  std::size_t got = 0;
  while (got < most) {
    const ssize_t n = ::pread(file, into + got, most - got, static_cast<off_t>(from + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(got);
}

}  // namespace

SpillFile::~SpillFile() {
  if (file_ >= 0) ::close(file_);
}

bool SpillFile::open() {
  if (file_ < 0) file_ = open_nameless_file(folder_);
  return file_ >= 0;
}

std::optional<SpillFile::Offset> SpillFile::put(std::string_view bytes) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max() || !open()) return std::nullopt;
  const Header header{static_cast<std::uint32_t>(bytes.size()), checksum(bytes)};
  std::string record(sizeof header, '\0');
  std::memcpy(record.data(), &header, sizeof header);
  record += bytes;
  std::size_t written = 0;
  while (written < record.size()) {
    const ssize_t n = ::pwrite(file_, record.data() + written, record.size() - written,
                               static_cast<off_t>(end_ + written));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;  // a later put() overwrites a partial record
    written += static_cast<std::size_t>(n);
  }
  return std::exchange(end_, end_ + record.size());
}

std::string SpillFile::get(Offset place) const {
  std::array<char, first_read> first;
  const ssize_t got = read_at(file_, first.data(), first.size(), place);
  if (got < 0) throw transcript::SpillError(std::string("the spill file: ") + std::strerror(errno));
  const auto have = static_cast<std::size_t>(got);
  Header header;
  if (have < sizeof header)
    throw transcript::SpillError("the spill file is shorter than the bytes written to it");
  std::memcpy(&header, first.data(), sizeof header);
  if (header.size > end_) throw transcript::SpillError("the spill file is damaged");
  std::string bytes(first.data() + sizeof header,
                    std::min<std::size_t>(header.size, have - sizeof header));
  if (const std::size_t begin = bytes.size(); begin < header.size) {
    bytes.resize(header.size);
    const ssize_t more =
        read_at(file_, bytes.data() + begin, header.size - begin, place + sizeof header + begin);
    if (more != static_cast<ssize_t>(header.size - begin))
      throw transcript::SpillError("the spill file is shorter than the bytes written to it");
  }
  if (checksum(bytes) != header.checksum) throw transcript::SpillError("the spill file is damaged");
  return bytes;
}

}  // namespace verbatim::journal
