// The spill of one conversation: an unlinked file in the data folder, which the kernel frees when
// the process ends. It is never synced, because the journal holds the same content.
//
// Belongs to one conversation and runs on its thread. Writes go to the page cache; reads come from
// there, or from the disk if memory is short.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "session/transcript/spill.hpp"

namespace verbatim::journal {

class SpillFile final : public transcript::Spill {
 public:
  /// The first put() makes the file.
  explicit SpillFile(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~SpillFile() override;
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  /// nullopt if the disk is full or no descriptor is free.
  std::optional<Offset> put(std::string_view bytes) override;
  /// Throws transcript::SpillError if the disk failed, or returned other bytes than were written.
  std::string get(Offset place) const override;

 private:
  bool open();

  std::filesystem::path folder_;
  int file_ = -1;
  std::uint64_t end_ = 0;
};

}  // namespace verbatim::journal
