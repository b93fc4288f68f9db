#include "storage/sqlite/page_gap.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/sqlite/full_disk.hpp"

namespace verbatim::sqlite {
namespace {

constexpr std::size_t page_bytes_min = 512;
constexpr std::size_t page_bytes_max = 65536;
constexpr std::size_t file_header_bytes = 100;
/// In pages beyond this, a page number may begin with the byte that marks a b-tree page.
constexpr sqlite3_int64 pages_max = sqlite3_int64{1} << 25;

std::size_t number(std::span<const unsigned char> page, std::size_t at) {
  return static_cast<std::size_t>(page[at]) << 8 | page[at + 1];
}

/// The unused gap of a b-tree page (https://www.sqlite.org/fileformat2.html, 1.6). Empty if this is
/// no b-tree page or its header is not sound.
std::span<unsigned char> gap_of(std::span<unsigned char> page, bool at_start) {
  const std::size_t header = at_start ? file_header_bytes : 0;
  const unsigned char kind = page[header];
  const bool leaf = kind == 10 || kind == 13;
  const bool interior = kind == 2 || kind == 5;
  if (!leaf && !interior) return {};
  const std::size_t cells = number(page, header + 3);
  const std::size_t list = header + (leaf ? 8 : 12);
  const std::size_t list_end = list + 2 * cells;
  std::size_t content = number(page, header + 5);
  if (content == 0) content = page_bytes_max;
  if (list_end > content || content > page.size()) return {};
  for (std::size_t at = list; at < list_end; at += 2) {
    const std::size_t cell = number(page, at);
    if (cell < content || cell >= page.size()) return {};
  }
  return page.subspan(list_end, content - list_end);
}

/// SQLite's file methods with another xWrite. One for each kind of file; never freed, because an
/// abandoned connection keeps its files open until the process ends.
struct Methods {
  sqlite3_io_methods ours{};
  const sqlite3_io_methods* theirs = nullptr;
};

const Methods& methods_of(sqlite3_file* file) {
  return *reinterpret_cast<const Methods*>(file->pMethods);
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  const auto& theirs = *methods_of(file).theirs;
  const auto length = static_cast<std::size_t>(size);
  const bool whole_page = length >= page_bytes_min && length <= page_bytes_max &&
                          (length & (length - 1)) == 0 && offset % size == 0;
  const auto put = [&](const void* what) {
    return result_of_write(file, theirs, theirs.xWrite(file, what, size, offset));
  };
  if (!whole_page || offset / size >= pages_max) return put(bytes);
  thread_local std::vector<unsigned char> page;
  const auto* const begin = static_cast<const unsigned char*>(bytes);
  page.assign(begin, begin + length);
  const bool emptied = empty_gap(page, offset == 0);
  return put(emptied ? page.data() : bytes);
}

}  // namespace

bool empty_gap(std::span<unsigned char> page, bool at_start) {
  if (page.size() < page_bytes_min || page.size() > page_bytes_max) return false;
  const auto gap = gap_of(page, at_start);
  if (std::all_of(gap.begin(), gap.end(), [](unsigned char byte) { return byte == 0; }))
    return false;
  std::memset(gap.data(), 0, gap.size());
  return true;
}

void write_with_empty_gaps(sqlite3_file* database) {
  static std::mutex mutex;
  static auto* const known = new std::map<const sqlite3_io_methods*, std::unique_ptr<Methods>>;
  const std::lock_guard lock(mutex);
  if (database->pMethods->xWrite == &write) return;
  auto& methods = (*known)[database->pMethods];
  if (!methods) {
    methods = std::make_unique<Methods>();
    methods->ours = *database->pMethods;
    methods->ours.xWrite = &write;
    methods->theirs = database->pMethods;
  }
  database->pMethods = &methods->ours;
}

}  // namespace verbatim::sqlite
