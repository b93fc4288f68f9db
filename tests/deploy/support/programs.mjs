// Programs that stand around the relay: Prometheus, proxies, tools that check files.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from '../../e2e/support/process.mjs';

export { eventually } from '../../e2e/support/process.mjs';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const inTree = (path) => `${root}${path}`;

/** Runs a tool to its end. */
export function check(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', cwd: root });
  if (error) throw error;
  return { status, output: stdout + stderr };
}

/** A program that runs until the test is over. */
export class Background {
  output = '';
  #looking = new Set();

  constructor(t, command, args, options = {}) {
    // A group of its own: nginx and HAProxy have workers, which outlive a killed master.
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.output += text;
        for (const look of this.#looking) look();
      });
    }
    this.over = new Promise((resolve) => {
      this.child.on('error', (error) => resolve({ error }));
      this.child.on('exit', (code, signal) => resolve({ code, signal }));
    });
    t.after(() => this.stop());
  }

  /** Waits until the output has a match, and returns it. */
  async printed(pattern) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const match = pattern.exec(this.output);
        if (match) resolve(match);
      };
      this.#looking.add(look);
      look();
    });
    const ended = this.over.then((how) => {
      throw new Error(`ended (${JSON.stringify(how)}) before it printed ${pattern}:\n${this.output}`);
    });
    try {
      return await within(Promise.race([found, ended]), `output ${pattern}`);
    } finally {
      this.#looking.delete(look);
      ended.catch(() => {});
    }
  }

  /** Ends it and all that it started. */
  stop() {
    try {
      process.kill(-this.child.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
    return within(this.over, `the end of ${this.child.spawnfile}`);
  }
}
