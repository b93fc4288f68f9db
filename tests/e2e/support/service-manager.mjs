// The service manager's end of sd_notify: a real datagram socket, and the messages that came to it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { binary, temporaryDirectory, within } from './process.mjs';

const receiver = join(dirname(binary), 'tests', 'verbatim_notified');
/** Runs a program with a listening socket that it has bound. */
export const passer = join(dirname(binary), 'tests', 'verbatim_passed');

/** Why tests cannot run, if they cannot. */
export const missing = [receiver, passer].every(existsSync) ? false : `${receiver} or ${passer} is not built`;

export class ServiceManager {
  /** Each message: {READY: '1', STATUS: '...'}. */
  messages = [];
  #waiting = [];

  static async start(t) {
    const manager = new ServiceManager();
    manager.socket = join(temporaryDirectory(t), 'notify');
    const child = spawn(receiver, [manager.socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const listens = new Promise((resolve) => {
      let rest = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) line === 'listens' ? resolve() : manager.#take(line);
      });
    });
    await within(listens, 'the socket of the service manager');
    return manager;
  }

  #take(line) {
    const pairs = line.split('\t').filter(Boolean).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
    this.messages.push(Object.fromEntries(pairs));
    for (const look of this.#waiting) look();
  }

  env(watchdogMs) {
    return { NOTIFY_SOCKET: this.socket, ...(watchdogMs ? { WATCHDOG_USEC: String(watchdogMs * 1000) } : {}) };
  }

  /** The `nth` message with this variable, now or later. */
  async with(variable, nth = 1) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const all = this.messages.filter((message) => variable in message);
        if (all.length >= nth) resolve(all[nth - 1]);
      };
      this.#waiting.push(look);
      look();
    });
    return within(found, `message ${nth} with ${variable}`).finally(() => this.#waiting.splice(this.#waiting.indexOf(look), 1));
  }

  /** The states in the order in which they came. */
  get states() {
    return this.messages.flatMap((message) => ['READY', 'RELOADING', 'STOPPING'].filter((state) => state in message));
  }
}
