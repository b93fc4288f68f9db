// Injects faults into the running program: the harness's side of tests/faults/interpose.cpp.
//
//   const shim = new Shim(t);                                    // t: anything with after()
//   const relay = await startRelay(t, { env: shim.env, ... });   // preloaded into the real program
//   const full = shim.arm({ calls: 'write', file: '*.db-wal', action: 'fail', error: 'ENOSPC' });
//   await full.struck();                                         // the fault has happened
//   full.disarm();
//   shim.counters().fdatasync.wal
//
// Rules can be armed before the start and at any time after it, sixteen at a time.
import { closeSync, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { binary, deadline, temporaryDirectory } from '../e2e/support/process.mjs';

/** Its path: beside the program under test, unless configured otherwise. */
export const library =
  process.env.VERBATIM_FAULTS ?? join(dirname(binary), 'tests', 'libverbatim_faults.so');

/** `alloc` is any allocation; `send` any bytes to a socket; the others go to files. */
const calls = [
  ...['open', 'read', 'write', 'fsync', 'fdatasync', 'truncate', 'mmap', 'unlink', 'send', 'alloc'],
];
const files = ['other', 'db', 'wal', 'shm'];

const actions = {
  delay: 1, // the call is made `ms` later
  hold: 2, // the call waits until the rule is disarmed
  fail: 3, // the call fails with `error` and does nothing
  lose: 4, // a sync fails, and bytes written since the last good one are lost
  shorten: 5, // a write writes half of its bytes and returns that number
  kill_before: 6, // SIGKILL instead of the call
  kill_after: 7, // SIGKILL after the call
  tear: 8, // SIGKILL when half of a write is done
};

// The layout of the control file: see Control in interpose.cpp.
const size = 4096;
const clockAt = 8;
const countersAt = 16;
const rulesAt = 512;
const ruleSize = 128;
const rulesMax = 16;
const at = { value: 32, seen: 48, fired: 56 };

const forEver = 2n ** 62n;

class Armed {
  constructor(shim, slot) {
    Object.assign(this, { shim, slot, place: rulesAt + slot * ruleSize });
  }

  /** Matching calls since it was armed, and how many of them it acted on. */
  get seen() {
    return this.shim.read(this.place + at.seen);
  }
  get fired() {
    return this.shim.read(this.place + at.fired);
  }

  /** A delay may change while it is in force. */
  set ms(ms) {
    this.shim.write(this.place + at.value, BigInt(Math.round(ms * 1000)));
  }

  /** Waits until it has acted `count` times. Polls, because the program reports it in shared memory. */
  async struck(count = 1) {
    const end = Date.now() + deadline;
    while (this.fired < count) {
      if (Date.now() > end)
        throw new Error(`fault ${this.slot} struck ${this.fired} of ${count} times`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  disarm() {
    this.shim.disarm(this.slot);
  }
}

export class Shim {
  #armed = new Array(rulesMax).fill(false);

  constructor(t, directory = temporaryDirectory(t)) {
    if (!existsSync(library)) throw new Error(`${library} is not built (target verbatim_faults)`);
    this.file = join(directory, 'faults');
    this.fd = openSync(this.file, 'w+', 0o600);
    writeSync(this.fd, Buffer.alloc(size));
    t.after(() => closeSync(this.fd));
  }

  /** For the environment of the program. */
  get env() {
    return { LD_PRELOAD: library, FAULT_SHIM_CONTROL: this.file };
  }

  /**
   * - `calls`: one of the names above or a list
   * - `file`: part of a path, or its end behind a `*`; empty for any
   * - `from`, `to`: which of the matching calls, counted from 1 and from now on; `from` alone: that
   *   one; neither: all until disarmed
   * - `atLeast`: bytes of an allocation
   */
  arm({ calls: which, file = '', action, from, to, error = 'EIO', ms = 0, atLeast = 0 }) {
    if (!(action in actions)) throw new Error(`no action ${action}`);
    const slot = this.#armed.indexOf(false);
    if (slot < 0) throw new Error('all rules are in use');
    const mask = [which].flat().reduce((bits, name) => {
      if (!calls.includes(name)) throw new Error(`no call ${name}`);
      return bits | (1 << calls.indexOf(name));
    }, 0);
    const sleeps = actions[action] === actions.delay;
    const rule = Buffer.alloc(ruleSize);
    rule.writeUInt32LE(mask, 4);
    rule.writeUInt32LE(actions[action], 8);
    rule.writeBigInt64LE(BigInt(from ?? 1), 16);
    rule.writeBigInt64LE(
      to !== undefined ? BigInt(to) : from !== undefined ? BigInt(from) : forEver,
      24,
    );
    rule.writeBigInt64LE(BigInt(sleeps ? Math.round(ms * 1000) : constants.errno[error]), at.value);
    rule.writeBigInt64LE(BigInt(atLeast), 40);
    if (rule.write(file, 64) > 62) throw new Error(`too long: ${file}`);
    this.#armed[slot] = true;
    const armed = new Armed(this, slot);
    writeSync(this.fd, rule, 0, ruleSize, armed.place);
    writeSync(this.fd, Buffer.of(1), 0, 1, armed.place); // one byte arms the whole rule
    return armed;
  }

  disarm(slot) {
    writeSync(this.fd, Buffer.of(0), 0, 1, rulesAt + slot * ruleSize);
    this.#armed[slot] = false;
  }

  disarmAll() {
    for (let slot = 0; slot < rulesMax; ++slot) if (this.#armed[slot]) this.disarm(slot);
  }

  /** The wall clock as the program sees it, moved by so much. */
  moveClock(ms) {
    this.write(clockAt, BigInt(ms));
  }

  /** Calls so far, by kind and by kind of file; allocations are counted by rules only. */
  counters() {
    const counted = {};
    calls.forEach((call, row) => {
      counted[call] = {};
      files.forEach((file, column) => {
        counted[call][file] = this.read(countersAt + 8 * (row * files.length + column));
      });
    });
    return counted;
  }

  read(place) {
    const bytes = Buffer.alloc(8);
    readSync(this.fd, bytes, 0, 8, place);
    return Number(bytes.readBigInt64LE());
  }

  write(place, value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    writeSync(this.fd, bytes, 0, 8, place);
  }
}
