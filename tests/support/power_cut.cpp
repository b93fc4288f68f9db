#include "tests/support/power_cut.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <random>

namespace verbatim::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t sector = 512;

std::string name_of(const std::string& file) { return fs::path(file).filename().string(); }

/// For each sector of a file: how many of the unsynced operations it has received.
class Progress {
 public:
  Progress(std::size_t operations, std::mt19937& random)
      : operations_(operations), random_(random), mood_(random() % moods), common_(draw()) {}

  std::size_t of(std::size_t number) {
    const auto [found, is_new] = sectors_.try_emplace(number, 0);
    if (is_new) found->second = choose();
    return found->second;
  }
  bool took_size() { return mood_ == all || (mood_ != none && random_() % 2 == 0); }

 private:
  enum Mood : std::uint32_t { none, all, in_order, most, any, moods };

  std::size_t choose() {
    switch (mood_) {
      case none:
        return 0;
      case all:
        return operations_;
      case in_order:
        return common_;
      case most:
        return random_() % 8 == 0 ? draw() : operations_;
      default:
        return draw();
    }
  }
  std::size_t draw() { return random_() % (operations_ + 1); }

  const std::size_t operations_;
  std::mt19937& random_;
  const std::uint32_t mood_;
  const std::size_t common_;
  std::map<std::size_t, std::size_t> sectors_;
};

void put(std::string& content, std::size_t at, std::string_view bytes) {
  if (content.size() < at + bytes.size()) content.resize(at + bytes.size());
  std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(at));
}

void write_file(const fs::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary) << content;
}

}  // namespace

void DiskLog::happened(DiskOperation operation) {
  if (operation.file.compare(0, folder_.size(), folder_) != 0) return;
  const std::lock_guard lock(mutex_);
  operations_.push_back(std::move(operation));
  grown_.notify_all();
}

std::size_t DiskLog::now() const {
  const std::lock_guard lock(mutex_);
  return operations_.size();
}

bool DiskLog::wait_for(DiskOperation::Kind kind, const fs::path& file, std::size_t since) {
  std::unique_lock lock(mutex_);
  return grown_.wait_for(lock, std::chrono::seconds(30), [&] {
    return std::any_of(operations_.begin() + static_cast<std::ptrdiff_t>(since), operations_.end(),
                       [&](const DiskOperation& operation) {
                         return operation.kind == kind && operation.file == file;
                       });
  });
}

Platter::Platter(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    names_[entry.path().filename()] = {files_.size()};
    files_.push_back({std::string{std::istreambuf_iterator<char>(in), {}}, {}, {}});
  }
}

Platter::File& Platter::now(const std::string& name) {
  const auto found = names_.find(name);
  if (found == names_.end()) {
    // Made without SQLite: its maker had to sync it.
    names_[name] = {files_.size()};
    return files_.emplace_back();
  }
  return files_.at(found->second.back().value());
}

void Platter::apply(const DiskOperation& operation) {
  const std::string name = name_of(operation.file);
  switch (operation.kind) {
    case DiskOperation::made: {
      Meanings& meanings = names_[name];
      if (meanings.empty()) meanings.push_back(std::nullopt);
      meanings.push_back(files_.size());
      files_.emplace_back();
      break;
    }
    case DiskOperation::opened:
      now(name);
      break;
    case DiskOperation::wrote:
    case DiskOperation::truncated:
      now(name).pending.push_back(operation);
      break;
    case DiskOperation::syncing: {
      File& file = now(name);
      file.syncs[operation.at] = file.pending.size();
      break;
    }
    case DiskOperation::synced:
      now(name).end_sync(operation.at);
      break;
    case DiskOperation::names_synced:
      for (auto& [ignored, meanings] : names_) meanings = {meanings.back()};
      break;
    case DiskOperation::removed:
      names_[name].push_back(std::nullopt);
      break;
  }
}

void Platter::File::end_sync(std::uint64_t which) {
  const auto found = syncs.find(which);
  if (found == syncs.end()) return;  // the sync began before this log did
  const std::size_t covered = found->second;
  syncs.erase(found);
  for (std::size_t i = 0; i < covered; ++i) {
    const DiskOperation& one = pending[i];
    if (one.kind == DiskOperation::wrote)
      put(on_disk, one.at, one.bytes);
    else
      on_disk.resize(one.at);
  }
  pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(covered));
  for (auto& [other, count] : syncs) count -= std::min(count, covered);
}

void Platter::leave(const fs::path& folder, std::uint32_t seed) const {
  std::mt19937 random(seed);
  for (const auto& [name, meanings] : names_) {
    const auto meaning = meanings[random() % meanings.size()];
    if (!meaning) continue;
    const File& file = files_[*meaning];
    std::string content = file.on_disk;
    std::size_t longest = content.size();
    Progress progress(file.pending.size(), random);
    for (std::size_t i = 0; i < file.pending.size(); ++i) {
      const DiskOperation& one = file.pending[i];
      if (one.kind == DiskOperation::truncated) {
        if (progress.took_size()) content.resize(one.at);
        continue;
      }
      const std::size_t end = one.at + one.bytes.size();
      longest = std::max(longest, end);
      for (std::size_t from = one.at; from < end; from = (from / sector + 1) * sector) {
        const std::size_t to = std::min(end, (from / sector + 1) * sector);
        if (i < progress.of(from / sector))
          put(content, from, std::string_view(one.bytes).substr(from - one.at, to - from));
      }
    }
    // A file may have grown on the disk without its content.
    if (content.size() < longest && progress.took_size()) content.resize(longest);
    write_file(folder / name, content);
    // The WAL index is never synced: nothing may depend on it.
    if (name.ends_with("-wal") && random() % 2 == 0) {
      std::string noise(32768, '\0');
      std::generate(noise.begin(), noise.end(), [&] { return static_cast<char>(random()); });
      write_file(folder / (name.substr(0, name.size() - 3) + "shm"), noise);
    }
  }
}

}  // namespace verbatim::test
