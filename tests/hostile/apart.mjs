// Runs a part of a scene in a process of its own, so that its event loop does not wait for the attackers'. The
// parent holds an `Apart`; the file that it names calls `serve` with its functions.
import { fork } from 'node:child_process';
import { once } from 'node:events';

export class Apart {
  #child;
  #open = new Map();
  #count = 0;

  /** Runs `file` (a URL) until the scope `t` ends. */
  static async start(t, file) {
    const apart = new Apart();
    apart.#child = fork(file, { stdio: 'inherit' });
    const gone = once(apart.#child, 'exit');
    apart.#child.on('message', ({ id, value, error }) => {
      const { resolve, reject } = apart.#open.get(id);
      apart.#open.delete(id);
      if (error) reject(new Error(error));
      else resolve(value);
    });
    apart.#child.on('exit', () => {
      for (const { reject } of apart.#open.values()) reject(new Error(`${file} has ended`));
    });
    t.after(async () => {
      apart.#child.kill('SIGKILL');
      await gone;
    });
    return apart;
  }

  get pid() {
    return this.#child.pid;
  }

  /** The result of the other side's function `name` for `args`; both cross as JSON. */
  call(name, ...args) {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#child.send({ id, name, args });
    });
  }
}

/** Answers the calls of the process that forked this one. */
export function serve(functions) {
  process.on('message', async ({ id, name, args }) => {
    try {
      process.send({ id, value: await functions[name](...args) });
    } catch (error) {
      process.send({ id, error: error.stack });
    }
  });
  process.on('disconnect', () => process.exit(0));
}
