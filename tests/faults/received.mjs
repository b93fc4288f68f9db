// Typed text that the provider has received, from the file that `simulate --received` writes before it acts on
// an event. From then on this text must not be lost in any kill.
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Events of the relay itself, with which it gives a conversation again, begin so. */
const own = 'verbatim_';

export class Received {
  #texts = new Map(); // the text, and the length of the file after it
  #read = 0;
  #rest = '';

  /** In a directory of the scope's; `args` are the simulator's. */
  constructor(directory) {
    this.file = join(directory, 'received.jsonl');
    this.args = ['--received', this.file];
  }

  /** So far, in bytes. Messages after a cut of the power do not count. */
  get size() {
    try {
      return statSync(this.file).size;
    } catch {
      return 0;
    }
  }

  #look() {
    const size = this.size;
    if (size === this.#read) return;
    const bytes = Buffer.alloc(size - this.#read);
    const file = openSync(this.file);
    readSync(file, bytes, 0, bytes.length, this.#read);
    closeSync(file);
    const lines = (this.#rest + bytes.toString('latin1')).split('\n');
    let at = this.#read - this.#rest.length;
    this.#rest = lines.pop();
    this.#read = size;
    for (const line of lines) {
      at += line.length + 1;
      this.#take(Buffer.from(line, 'latin1').toString(), at);
    }
  }

  #take(line, at) {
    if (!line.includes('"conversation.item.create"')) return;
    const { event_id, item } = JSON.parse(line);
    if (event_id?.startsWith(own) || item.role !== 'user') return;
    for (const { text } of item.content) if (text !== undefined) this.#texts.set(text, at);
  }

  /** Whether this was received before the file was that long. */
  has(text, size = Infinity) {
    this.#look();
    return this.#texts.has(text) && this.#texts.get(text) <= size;
  }
}
