// Folders of recorded audio for tests, and what is asked of them.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "server/recording/keys.hpp"
#include "server/recording/track_files.hpp"
#include "tests/support/temp_dir.hpp"

namespace verbatim::test {

inline constexpr transcript::AudioFormat pcm24{transcript::AudioEncoding::pcm16, 24000};
inline constexpr transcript::AudioFormat pcm8{transcript::AudioEncoding::pcm16, 8000};
constexpr std::int64_t pcm8_bytes(std::int64_t ms) { return ms * 16; }

/// The result of a call that is answered on another thread.
template <class T, class Call>
T result_of(const Call& call) {
  auto answer = std::make_shared<std::promise<T>>();
  auto future = answer->get_future();
  call([answer](T value) { answer->set_value(std::move(value)); });
  REQUIRE(future.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  return future.get();
}

inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

/// Bytes that no compression makes much shorter, and that differ from place to place.
inline std::string mixed_bytes(std::size_t count) {
  std::string out(count, '\0');
  std::uint32_t state = 12345;
  for (char& one : out) {
    state = state * 1664525U + 1013904223U;
    one = static_cast<char>(state >> 24U);
  }
  return out;
}

/// Descriptors of this process that name a file below the folder, also if it was removed.
inline std::size_t open_below(const std::filesystem::path& folder) {
  std::size_t count = 0;
  std::error_code ec;
  for (const auto& one : std::filesystem::directory_iterator("/proc/self/fd"))
    if (std::filesystem::read_symlink(one.path(), ec).string().starts_with(folder.string()))
      ++count;
  return count;
}

inline recording::MasterKeys masters(const std::string& lines) {
  return recording::MasterKeys(Secret(lines));
}
inline const std::string key_a(64, 'a');
inline const std::string key_b(64, 'b');

struct RecordedFolder {
  TempDir dir;
  recording::Track track{"s1", 1, transcript::AudioTrack::user};
  std::filesystem::path file(recording::Form form) const {
    return recording::file_of(dir.path(), track, form);
  }
  std::filesystem::path unfinished() const {
    return recording::unfinished_file_of(dir.path(), track);
  }
};

}  // namespace verbatim::test
