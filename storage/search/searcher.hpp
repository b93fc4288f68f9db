// Reads of the full-text index: a page of the sessions in which a question is found.
//
// Used by one thread at a time, the one that reads the database.
#pragma once

#include <filesystem>
#include <memory>

#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::search {

class Searcher {
 public:
  /// `database`: the index lies beside it. It may be missing.
  explicit Searcher(const std::filesystem::path& database);

  /// Sessions that match `filter.question` and the other conditions: a turn has all words, or the
  /// id or the user begins with the question. Newest or oldest first. Throws StorageError.
  store::SessionPage search(rows::TranscriptStore& sessions, const store::SessionFilter& filter);

 private:
  void open_if_needed();

  std::filesystem::path file_;
  std::unique_ptr<sqlite::Database> index_;  ///< null: there is no index yet
};

}  // namespace verbatim::search
