// Keeps erased text out of the database file.
//
// SQLite's secure_delete overwrites a deleted row in place. When SQLite rebalances pages, however,
// it moves rows and leaves their old bytes in the gap: the unused space between the list of cells
// and the first cell. The bytes stay there after the row is erased, as long as the page is in use.
// SQLite never reads the gap. Pages are therefore written to the file with the gap filled with
// zeros. (The WAL still has the bytes; storage/journal/writer empties it after an erasure.)
#pragma once

#include <cstddef>
#include <span>

struct sqlite3_file;

namespace verbatim::sqlite {

/// Fills the gap with zeros if these bytes are a b-tree page. True if it held anything else.
/// `at_start`: this is the file's first page, which begins with the file header.
bool empty_gap(std::span<unsigned char> page, bool at_start);

/// From now on, writes to this SQLite file go out with empty gaps. The database must not use
/// auto_vacuum. Page numbers from 2^25 on (128 GiB) are written unchanged: there the first byte of
/// another kind of page may look like that of a b-tree page.
void write_with_empty_gaps(sqlite3_file* database);

}  // namespace verbatim::sqlite
