// The spill of one conversation: a file without a name in the data folder, which the system takes
// back with the process, however that ends. Never synced: what is in it is in the journal too.
//
// One conversation's, on its thread. Writes go to the system's cache; reads come from there, or
// from the disk if memory is short.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "session/transcript/spill.hpp"

namespace verbatim::storage {

class SpillFile final : public session::Spill {
 public:
  /// The file is made by the first put().
  explicit SpillFile(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~SpillFile() override;
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  /// nullopt while the disk is full, or descriptors are short.
  std::optional<Offset> put(std::string_view bytes) override;
  /// Throws session::SpillError: the disk failed, or gave something else than it was given.
  std::string get(Offset place) const override;

 private:
  bool open();

  std::filesystem::path folder_;
  int file_ = -1;
  std::uint64_t end_ = 0;
};

}  // namespace verbatim::storage
