// Keeps what was erased out of the database file.
//
// SQLite's secure_delete overwrites a deleted row where it lies. But when pages are rebalanced it
// moves rows and leaves their old bytes in the unused middle of a page, the gap between the list of
// cells and the first cell; those bytes stay there after the row itself is erased, for as long as
// the page is in use. A page's gap has no meaning to SQLite. So each page that goes into the file
// goes with an empty one. (The log still has it: it is emptied after an erasure,
// storage/journal/writer.)
#pragma once

#include <cstddef>
#include <span>

struct sqlite3_file;

namespace verbatim::storage {

/// If these are the bytes of a page of a b-tree: its gap is filled with zeros. True if there was
/// anything else in it. `at_start`: the file's first page, which begins with the file's header.
bool empty_gap(std::span<unsigned char> page, bool at_start);

/// From now on all that is written to this file of SQLite's, a database without auto_vacuum, is
/// written with empty gaps. Page numbers must stay below 2^25 (128 GiB): beyond it the first byte
/// of another kind of page may look like that of a b-tree's, and pages are written as they are.
void write_with_empty_gaps(sqlite3_file* database);

}  // namespace verbatim::storage
