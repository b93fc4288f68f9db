// Finds the files that hold planted bytes, unlinked files included.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Errors of files and processes that go away during the search. */
const gone = new Set(['ENOENT', 'ESRCH', 'EISDIR', 'ENXIO']);

function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    if (gone.has(error.code)) return Buffer.alloc(0);
    throw error;
  }
}

/** The files of these directories that hold these bytes. */
export function holders(directories, planted) {
  return directories.flatMap((directory) =>
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .filter((file) => readIfThere(file).includes(planted)),
  );
}

/** The process's files without a name that hold these bytes. */
export function unnamedHolders(pid, planted) {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((file) => {
      try {
        return readlinkSync(file).endsWith(' (deleted)');
      } catch (error) {
        if (gone.has(error.code)) return false;
        throw error;
      }
    })
    .filter((file) => readIfThere(file).includes(planted));
}
