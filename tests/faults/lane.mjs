// One data directory with its fallback directory and relay, which is killed and restarted again and again. The
// text that clients received before a kill is compared with the transcripts of the next relay.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRelay, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { judge } from './oracle.mjs';
import { Shim } from './shim.mjs';
import { Talker, oddProvider } from './traffic.mjs';

/** Actions to undo at the end, in the place of a test's own `t`. */
export class Scope {
  #undo = [];
  after(work) {
    this.#undo.push(work);
  }
  async close() {
    while (this.#undo.length) await this.#undo.pop()();
  }
}

/** SQLite's own check of the database: "ok", or the faults. */
export function integrity(dataDir) {
  const file = join(dataDir, 'verbatim.db');
  const { stdout, stderr, error } = spawnSync('sqlite3', [file, 'PRAGMA integrity_check']);
  return error ? error.message : `${stdout}${stderr}`.trim();
}

export class Tally {
  kills = {}; // by aim
  missed = {}; // by aim: the relay did not reach the place of the kill
  sessions = 0;
  turns = 0;
  characters = 0;
  breaches = [];

  count(map, name) {
    map[name] = (map[name] ?? 0) + 1;
  }
  get killed() {
    return Object.values(this.kills).reduce((sum, count) => sum + count, 0);
  }
  of(kind) {
    return this.breaches.filter((breach) => breach.kind === kind).length;
  }
  breach(rule, kind, what) {
    this.breaches.push({ rule, kind, what });
  }
}

export class Lane {
  #kept = new Map(); // the transcripts as first read: a final one must not change
  #waiting = new Map(); // by id: what the clients of recovering sessions had seen

  /**
   * `set`: further settings of the relay; `place` gives a new directory at each call. `window`: how long
   * sessions of a killed relay wait for their clients, who do not come back here.
   */
  constructor({ simulator, received, random, tally, set = [], scope = new Scope(), place, window = '0s' }) {
    Object.assign(this, { simulator, received, random, tally, set, scope, window });
    this.place = place ?? (() => temporaryDirectory(scope));
    this.shim = new Shim(this.scope);
    this.env = this.shim.env;
    this.newDirectory();
  }

  newDirectory() {
    this.dataDir = this.place();
    this.fallbackDir = this.place();
    this.#kept.clear();
    this.#waiting.clear();
  }

  /** A file that is there and has no schema yet. */
  makeEmptyDatabase() {
    writeFileSync(join(this.dataDir, 'verbatim.db'), '', { mode: 0o600 });
  }

  /** Rejects if the relay ends before it is ready. */
  async start() {
    await this.stop();
    this.round = new Scope();
    this.relay = await startRelay(this.round, {
      simulator: this.simulator,
      dataDir: this.dataDir,
      key: null,
      env: this.env,
      // A small WAL, so that checkpoints are as frequent as other events.
      set: [
        'tls.enabled=false',
        `session.resume_window=${this.window}`,
        `storage.fallback_dir=${this.fallbackDir}`,
        'log.level=warn',
        'journal.wal_checkpoint_bytes=64KiB',
        'upstream.reconnect_attempts_max=3',
        'upstream.reconnect_pause_min=1ms',
        ...this.set,
      ],
    });
  }

  async stop() {
    await this.round?.close();
  }

  /** A start that is killed at the place which the rule names; false if it got through. */
  async startAndDie(rule) {
    const armed = this.shim.arm(rule);
    try {
      await this.start();
      return false;
    } catch (error) {
      if (armed.fired === 0) throw error;
      return true;
    } finally {
      armed.disarm();
    }
  }

  /** Lets people talk until `strike` has ended the relay; resolves to what they saw. */
  async meet(people, strike) {
    const talkers = [];
    const talk = async () => {
      const query = { model: oddProvider(this.random) };
      const talker = await Talker.connect(this.round, this.relay, this.random, { query }).catch(
        () => {},
      );
      if (!talker) return; // it was still connecting, so it has received nothing
      // It may have received this after the cut: nothing was compared yet.
      if (this.dark) talker.cut(0);
      talkers.push(talker);
      await talker.talk();
    };
    await Promise.all([strike(talkers), ...Array.from({ length: people }, talk)]);
    this.shim.disarmAll();
    return Promise.all(talkers.map((talker) => talker.seen(this.received)));
  }

  async verify(records) {
    for (const status of ['created', 'live', 'detached', ...(this.window === '0s' ? ['recovering'] : [])]) {
      const { json } = await this.relay.request(`/v1/sessions?status=${status}`);
      for (const { id } of json.sessions) this.tally.breach('O4', 'stuck', `${id} is ${status}`);
    }
    // Those of earlier kills either wait on or have ended meanwhile.
    for (const record of [...this.#waiting.values()]) await this.#look(record);
    for (const record of records) {
      this.tally.characters += record.characters;
      if (!record.id) continue; // the kill came before its first event, so it has received nothing
      ++this.tally.sessions;
      const turns = await this.#look(record);
      this.tally.turns += turns ?? 0;
    }
  }

  /** Compares a session with what its client saw; resolves to its turns. `query`: of its transcript. */
  async #look(record, query = '') {
    const kept = await this.relay.request(`/v1/sessions/${record.id}/transcript${query}`);
    if (kept.status !== 200) {
      this.tally.breach('O1', 'lost', `${record.id}: no transcript: ${kept.status} ${kept.text}`);
      return undefined;
    }
    record.waits = this.window !== '0s' && query === '';
    this.tally.breaches.push(...judge(record, kept.json));
    if (kept.json.status === 'recovering') {
      this.#waiting.set(record.id, record);
    } else {
      this.#waiting.delete(record.id);
      this.#kept.set(record.id, kept.text);
    }
    return kept.json.turns.length;
  }

  /** At the end of a directory: nothing has changed since, and the file is sound. */
  async leave() {
    for (const record of [...this.#waiting.values()]) await this.#look(record, '?wait=10');
    for (const [id, text] of this.#kept) {
      const now = await this.relay.request(`/v1/sessions/${id}/transcript`);
      if (now.text !== text) this.tally.breach('O4', 'lost', `${id}: changed after it was final`);
    }
    const { code } = await this.relay.program.stop('SIGTERM');
    if (code !== 0) this.tally.breach('O4', 'stuck', `an orderly stop ended with ${code}`);
    const said = integrity(this.dataDir);
    if (said !== 'ok') this.tally.breach('O6', 'lost', `integrity_check: ${said}`);
  }

  async close() {
    await this.stop();
    await this.scope.close();
  }
}
