// The store readers that merge copies: one for quick merges, and one for merges that may take a
// second or more (storage/store/merges.hpp). So an attempt with many posted copies does not delay
// posts, reads and event streams of others. Within each reader attempts are served in turn.
//
// Any thread.
#pragma once

#include <string>

#include "server/store/store_reader.hpp"

namespace verbatim::server {

class Merger {
 public:
  /// `merged_bytes_max`: as in TranscriptStore, divided between both readers.
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
