// The store's readers that may have to merge copies: one for what is quick, one for what may take a
// second or more (storage/store/merges.hpp). So no attempt, however much was posted to it, holds up
// the posts, reads and event streams of ordinary ones; and within each, attempts come in turns.
//
// Any thread.
#pragma once

#include <string>

#include "server/store/store_reader.hpp"

namespace verbatim::server {

class Merger {
 public:
  /// `merged_bytes_max`: as TranscriptStore, for both together.
  Merger(const std::filesystem::path& file, std::size_t merged_bytes_max)
      : quick_(file, StoreReader::Merging{merged_bytes_max / 4, "merger"}),
        slow_(file, StoreReader::Merging{merged_bytes_max - merged_bytes_max / 4, "merger-slow"}) {}

  StoreReader& of(storage::MergeLane lane) {
    return lane == storage::MergeLane::slow ? slow_ : quick_;
  }
  StoreReader& quick() { return quick_; }
  StoreReader& slow() { return slow_; }
  void open_anew() {
    quick_.open_anew();
    slow_.open_anew();
  }

 private:
  StoreReader quick_;
  StoreReader slow_;
};

}  // namespace verbatim::server
