// Every way in which a conversation can end, under every fault: people talk through the shipped
// program, the fault is armed, the end comes, the fault is healed, what they saw is held against
// what is kept. Prints the matrix; exit 1 if a cell failed.
//
//   node tests/faults/matrix.mjs [--seed N] [--path NAME] [--fault NAME] [--repeat N] [--jobs N]
//
// A cell's own seed comes from the seed, its path and its fault, so that `--path` and `--fault` run
// the same cell again. Power cuts need root and loop devices.
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSimulator } from '../e2e/support/verbatim.mjs';
import { Disk, ownNamespace, whyNot } from './disk.mjs';
import { Lane, Scope, Tally } from './lane.mjs';
import { faults } from './matrix/faults.mjs';
import { paths } from './matrix/paths.mjs';
import { Proxy } from './matrix/proxy.mjs';
import { Random, Talker } from './traffic.mjs';

export { faults, paths };

const people = 3;
const longest_ms = 25_000; // for anything that must come to an end

const settings = [
  'session.ping_interval=1s',
  'session.close_timeout=500ms',
  'session.transcription_grace=100ms',
  'session.idle_timeout=10s',
  'server.shutdown_grace=5s',
  'journal.full_retry=300ms',
  'journal.busy_timeout=100ms',
];

const listOf = (setting, variant) =>
  typeof setting === 'function' ? setting(variant) : (setting ?? []);

/** A few numbers of its own for each cell. */
function seedOf(seed, path, fault) {
  let hash = seed >>> 0;
  for (const letter of `${path} x ${fault}`)
    hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0;
  return hash;
}

/** Why there is no such cell, if there is none. */
export function cannot(path, fault) {
  if (faults[fault].cannot) return faults[fault].cannot;
  if (faults[fault].hides?.[path]) return faults[fault].hides[path];
  if (paths[path].disk) return whyNot();
  return undefined;
}

class Cell {
  constructor(pathName, faultName, { simulator, seed }) {
    Object.assign(this, { path: paths[pathName], fault: faults[faultName] });
    this.simulator = this.path.atOnce ? simulator.atOnce : simulator.brisk;
    this.random = new Random(seedOf(seed, pathName, faultName));
    this.tally = new Tally();
    this.scope = new Scope();
    this.talkers = [];
    this.variant = this.path.variants && this.random.pick(this.path.variants);
    this.faultVariant = this.fault.variants && this.random.pick(this.fault.variants);
  }

  breach(kind, what) {
    this.tally.breach('cell', kind, what);
  }

  async run() {
    try {
      await this.#begin();
      await this.#talk();
      await this.#strike();
      await this.#settle();
      await this.#judge();
    } finally {
      await this.scope.close();
    }
    return this.tally;
  }

  async #begin() {
    const { simulator, tally, random, scope } = this;
    const set = [
      ...settings,
      ...listOf(this.path.set, this.variant),
      ...listOf(this.fault.set, this.faultVariant),
    ];
    const disk = this.path.disk && new Disk(scope, 64);
    const place = disk && (() => disk.directory());
    this.lane = new Lane({ simulator, tally, random, set, scope, place });
    this.lane.disk = disk;
    scope.after(() => this.lane.stop());
    await this.lane.start();
    if (this.fault.proxy) {
      this.proxy = await Proxy.open(scope, this.lane.relay.wsUrl);
      this.proxy.random = () => random.fraction();
    }
  }

  async #talk() {
    const relay = this.proxy ?? this.lane.relay;
    const far = new Set();
    this.talking = Array.from({ length: people }, async (_, i) => {
      const model =
        this.path.model && `gpt-realtime+${this.path.model(this.random.number(20, 90))}`;
      const query = model ? { model } : {};
      const talker = await Talker.connect(this.lane.round, relay, this.random, { query });
      this.talkers.push(talker);
      if (i === 0 && !this.path.model) return; // one says nothing
      await talker.talk({ ways: this.path.ways });
    });
    for (const one of this.talking) one.catch(() => {}); // looked at where it is awaited
    // Each is somewhere else in its conversation.
    const enough = this.random.number(10, 40);
    const end = Date.now() + longest_ms;
    while (far.size < people - 1 && Date.now() < end) {
      for (const talker of this.talkers) {
        if (talker.client.events.length >= enough || talker.client.ended) far.add(talker);
      }
      await sleep(2);
    }
    if (far.size < people - 1) this.breach('stuck', 'people could not talk');
  }

  async #strike() {
    await this.fault.before?.(this);
    if (this.fault.before) await sleep(this.random.number(0, 40));
    await Promise.all([this.fault.around?.(this), this.path.strike?.(this)]);
  }

  get #ended() {
    const { child } = this.lane.relay.program;
    return child.exitCode !== null || child.signalCode !== null;
  }

  /** Waits until it is so or the program has ended. */
  async #until(so, what) {
    const end = Date.now() + longest_ms + (this.fault.slow ?? 0) * 3;
    while (!this.#ended && !(await so())) {
      if (Date.now() > end) return this.breach('stuck', what);
      await sleep(20);
    }
  }

  async #live() {
    const answer = await this.lane.relay.request('/metrics').catch(() => undefined);
    const line = answer?.text
      .split('\n')
      .find((one) => one.startsWith('verbatim_sessions{state="live"}'));
    return line ? Number(line.split(' ')[1]) : people;
  }

  /** Until the conversations or the program are over, and the fault is. */
  async #settle() {
    const { lane, path, fault } = this;
    if (typeof fault.lasts === 'number') {
      await Promise.race([sleep(fault.lasts), lane.relay.program.over]);
      lane.shim.disarmAll();
    }
    if (path.process) {
      await this.#until(() => false, 'the program did not end');
    } else {
      await this.#until(async () => (await this.#live()) === 0, 'conversations did not end');
    }
    if (this.#ended && !path.process && !fault.ends) this.breach('stuck', 'the program ended');
    if (fault.heals && !this.#ended) {
      lane.shim.disarmAll();
      const ready = async () =>
        (await lane.relay.request('/readyz').catch(() => ({}))).status === 200;
      await this.#until(ready, 'it did not become ready again');
    }
    this.diedBadly = this.#ended && (await lane.relay.program.over).signal !== null;
    if (fault.lasts === 'for good' || fault.again) await lane.relay.program.stop('SIGKILL');
    else {
      const how = await lane.relay.program.stop('SIGTERM');
      this.diedBadly ||= how.code !== 0;
    }
    for (const { client } of this.talkers) client.socket.terminate();
    await Promise.allSettled(this.talking);
    lane.shim.disarmAll();
    lane.shim.moveClock(0);
    if (lane.disk) {
      await lane.stop();
      await lane.disk.revive();
    }
  }

  async #judge() {
    const { lane, path, fault, random } = this;
    const records = await Promise.all(this.talkers.map((talker) => talker.seen()));
    for (let times = fault.again ? 2 : 0; times > 0; --times) {
      const action = random.pick(['kill_before', 'kill_after', 'tear']);
      const rule = {
        calls: ['open', 'write', 'fsync', 'fdatasync'],
        file: '.db',
        action,
        from: random.number(1, 40),
      };
      if (!(await lane.startAndDie(rule))) break;
    }
    await lane.start();
    await lane.verify(records);
    const right = new Set([...path.reasons, ...(fault.reasons ?? [])]);
    if (this.diedBadly) right.add('crash_recovered');
    for (const { id } of records.filter((record) => record.id)) {
      const { json } = await lane.relay.request(`/v1/sessions/${id}/transcript`);
      if (!right.has(json.close_reason)) {
        this.breach(
          'wrong',
          `${id} ended with ${json.close_reason}, not ${[...right].join(' or ')}`,
        );
      }
    }
    await lane.leave();
  }
}

/** One cell: resolves to its tally; a cell that could not be played to its end is a breach as well. */
export async function play(path, fault, options) {
  const cell = new Cell(path, fault, options);
  try {
    return await cell.run();
  } catch (error) {
    cell.breach('stuck', error.stack);
    return cell.tally;
  }
}

/** Two providers: one that takes a little time, one that answers all at once. */
export async function provider(scope, seed) {
  const start = (pace) => startSimulator(scope, ['--seed', String(seed)], pace);
  return { brisk: await start('0.02'), atOnce: await start('0') };
}

function print(results) {
  const names = Object.keys(paths);
  const width = Math.max(...Object.keys(faults).map((name) => name.length));
  names.forEach((name, i) => console.log(`${String.fromCharCode(65 + i)} ${name}`));
  console.log(
    `\n${''.padEnd(width)} ${names.map((_, i) => String.fromCharCode(65 + i)).join(' ')}`,
  );
  for (const fault of Object.keys(faults)) {
    const row = names.map((path) => results.get(`${path} x ${fault}`) ?? ' ');
    console.log(`${fault.padEnd(width)} ${row.join(' ')}`);
  }
  console.log('\n+ held   X failed   - cannot be');
}

async function main() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      path: { type: 'string' },
      fault: { type: 'string' },
      repeat: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '8' },
    },
  });
  if (!whyNot()) await ownNamespace();
  const begin = Date.now();
  const seed = Number(values.seed);
  console.error(`seed ${seed}`);
  const scope = new Scope();
  const simulator = await provider(scope, seed);
  const cells = [];
  for (let round = 0; round < Number(values.repeat); ++round) {
    // The slow ones first: all others run beside them.
    for (const fault of Object.keys(faults).sort(
      (a, b) => (faults[b].slow ?? 0) - (faults[a].slow ?? 0),
    )) {
      for (const path of Object.keys(paths)) {
        if ((values.path ?? path) === path && (values.fault ?? fault) === fault) {
          cells.push({ path, fault, seed: seed + round });
        }
      }
    }
  }
  if (cells.length === 0) throw new Error('no such cell; the names are those of the table');
  const results = new Map();
  const reasons = new Map();
  const total = { played: 0, sessions: 0, turns: 0, characters: 0, breaches: 0 };
  const work = async () => {
    for (let cell = cells.shift(); cell; cell = cells.shift()) {
      const name = `${cell.path} x ${cell.fault}`;
      const reason = cannot(cell.path, cell.fault);
      if (reason) {
        results.set(name, '-');
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        continue;
      }
      const tally = await play(cell.path, cell.fault, { simulator, seed: cell.seed });
      ++total.played;
      for (const key of ['sessions', 'turns', 'characters']) total[key] += tally[key];
      total.breaches += tally.breaches.length;
      const held = tally.breaches.length === 0;
      if (!held || results.get(name) !== 'X') results.set(name, held ? '+' : 'X');
      if (held) continue;
      console.error(
        `${name}: node tests/faults/matrix.mjs --seed ${cell.seed} --path '${cell.path}' --fault '${cell.fault}'`,
      );
      for (const { rule, kind, what } of tally.breaches.slice(0, 4))
        console.error(`  ${rule} ${kind}: ${what}`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  await scope.close();
  print(results);
  for (const [reason, count] of reasons) console.log(`${count} cells cannot be: ${reason}`);
  console.log(
    `seed ${seed}   cells ${total.played}   sessions ${total.sessions}   turns ${total.turns}   characters ${total.characters}   breaches ${total.breaches}   ${Math.round((Date.now() - begin) / 1000)} s`,
  );
  process.exit(total.breaches > 0 ? 1 : 0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
