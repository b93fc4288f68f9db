// Posted copies of sessions whose node does not answer: they are kept in the fleet's database until
// that node takes them.
//
// On the thread of the connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "server/fleet/database/connection.hpp"
#include "storage/store/session_image.hpp"

namespace verbatim::reading {

/// Keeps the copy and merges it, in one transaction: once this returns, both are committed. An
/// error of the database means that nothing was kept, or that it is not known.
database::DatabaseResult<store::StoreResult<store::SessionImage::Posted>> post_copy(
    database::Connection& connection, const store::PostedCopy& posted,
    const store::OpenImage& open_image, std::size_t bytes_max);

/// Copies of this node's attempts that were kept while it did not answer.
struct LeftCopy {
  store::AttemptName attempt;
  std::string writer;
  std::string digest;
  TimeMs posted_at = 0;
  std::string body;
};
/// At most `limit`, oldest first. `incarnation`: this node's.
database::DatabaseResult<std::vector<LeftCopy>> find_left_copies(database::Connection& connection,
                                                                 std::int64_t incarnation,
                                                                 std::int64_t limit);
/// The node has the copy in its own store.
database::DatabaseResult<> note_taken(database::Connection& connection, const LeftCopy& copy);

}  // namespace verbatim::reading
