// Reads the counts of count.cpp's library in a program that a test starts.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { binary, temporaryDirectory } from '../e2e/support/process.mjs';

// Same as in count.cpp.
const names = [
  'allocations', 'allocatedBytes', 'receives', 'sends', 'epollWaits', 'epollChanges', 'syncs', 'fileWrites', 'fileBytes',
];

export class Counts {
  #file;

  constructor(t) {
    this.#file = join(temporaryDirectory(t), 'counts');
    writeFileSync(this.#file, Buffer.alloc(8 * names.length));
  }

  /** For the program's environment. */
  get env() {
    return { LD_PRELOAD: join(dirname(binary), 'tests', 'libverbatim_count.so'), VERBATIM_COUNTS: this.#file };
  }

  now() {
    const bytes = readFileSync(this.#file);
    return Object.fromEntries(names.map((name, i) => [name, Number(bytes.readBigUInt64LE(8 * i))]));
  }

  /** The cost of `work`, by count, for each of `many`. */
  async of(many, work) {
    const before = this.now();
    await work();
    const after = this.now();
    return Object.fromEntries(names.map((name) => [name, (after[name] - before[name]) / many]));
  }
}
