// Kills the shipped program again and again while people talk through it, and compares what their clients
// received with what the store kept. Prints the actions and results; exits 1 if text was lost, duplicated or
// invented, or a session is stuck.
//
//   node tests/faults/kills.mjs [--kills 5000] [--seed N] [--sessions 6] [--lanes 3]
//                               [--aim NAME] [--set section.key=value]...
//
// In each of the `--lanes` a relay with its own data directory runs, and `--sessions` people talk at once.
// `--aim` selects one kind of kill; without it all are mixed:
//
//   random      at any instant, uniform in time
//   commit      at a write or a sync of the WAL: before it, after it, or when half of it is done
//   checkpoint  the same at the database file
//   stalled     while a commit is held, after its words had time to be sent too early
//   forward     before or after any bytes are sent
//   ending      at the WAL while all conversations end at once, or while the program stops
//   rotation    after a failed write or sync of the WAL, while the fallback directory is used
//   recovery    during a start after a kill, at any call that touches the database, repeatedly
//   migration   the same while the database is first made, at every call in turn
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { Lane, Scope, Tally } from './lane.mjs';
import { Received } from './received.mjs';
import { Random } from './traffic.mjs';

/** How long people talk at most before they are cut off. */
const longest_ms = 150;
/** The time after which an armed rule that no call matches is given up. */
const patience_ms = 1000;

const kill = (random) => random.pick(['kill_before', 'kill_after', 'tear']);
const anyCall = ['open', 'write', 'fsync', 'fdatasync', 'truncate', 'unlink', 'mmap'];

/** Each ends the relay in the middle of talk. Returns true if it ended in the way that the name says. */
const strikes = {
  async random({ relay, random }) {
    await sleep(random.fraction() * longest_ms);
    await relay.program.stop('SIGKILL');
    return true;
  },
  async commit(lane) {
    const { random } = lane;
    await sleep((random.fraction() * longest_ms) / 2);
    const calls = random.pick(['write', 'write', 'fdatasync']);
    return strikeAt(lane, {
      calls,
      file: '*.db-wal',
      action: kill(random),
      from: random.number(1, 60),
    });
  },
  async checkpoint(lane) {
    const { random } = lane;
    const calls = random.pick(['write', 'write', 'write', 'fdatasync']);
    const from = calls === 'write' ? random.number(1, 60) : random.number(1, 6);
    return strikeAt(lane, { calls, file: '*.db', action: kill(random), from });
  },
  async stalled({ relay, random, shim }) {
    await sleep((random.fraction() * longest_ms) / 2);
    const calls = random.pick(['write', 'fdatasync']);
    const held = shim.arm({
      calls,
      file: '*.db-wal',
      action: 'hold',
      from: random.number(1, 20),
      to: 1e9,
    });
    const stuck = await held.struck().then(
      () => true,
      () => false,
    );
    await sleep(20);
    await relay.program.stop('SIGKILL');
    return stuck;
  },
  async forward(lane) {
    const { random } = lane;
    const action = random.pick(['kill_before', 'kill_after', 'tear']);
    return strikeAt(lane, { calls: 'send', action, from: random.number(1, 600) });
  },
  async rotation(lane) {
    const { random, relay, shim } = lane;
    await sleep((random.fraction() * longest_ms) / 2);
    const [calls, action] = random.pick([
      ['write', 'fail'],
      ['fdatasync', 'fail'],
      ['fdatasync', 'lose'],
    ]);
    const failing = { calls, file: 'verbatim.db-wal', action, from: random.number(1, 20), to: 1e9 };
    const armed = shim.arm(failing);
    const next = {
      calls: random.pick(['write', 'fdatasync']),
      file: 'segment',
      action: kill(random),
    };
    if (random.chance(0.5)) {
      return strikeAt(lane, { ...next, from: random.number(1, 80) });
    }
    await armed.struck();
    await sleep(random.fraction() * longest_ms);
    await relay.program.stop('SIGKILL');
    return true;
  },
  async ending(lane, talkers) {
    const { random, relay } = lane;
    await sleep(longest_ms / 4 + (random.fraction() * longest_ms) / 4);
    const calls = random.pick([['write'], ['write', 'fdatasync', 'truncate']]);
    const file = random.pick(['*.db-wal', 'verbatim.db']);
    const struck = strikeAt(lane, {
      calls,
      file,
      action: kill(random),
      from: random.number(1, 40),
    });
    if (random.chance(0.4)) {
      relay.program.child.kill('SIGTERM');
      return struck;
    }
    for (const talker of talkers) talker.leave();
    return struck;
  },
};

async function strikeAt({ relay, shim }, rule) {
  const armed = shim.arm(rule);
  const late = new AbortController();
  await Promise.race([
    relay.program.over,
    sleep(patience_ms, undefined, { signal: late.signal }).catch(() => {}),
  ]);
  late.abort();
  await relay.program.stop('SIGKILL');
  return armed.fired > 0;
}

const shares = {
  random: 25,
  commit: 25,
  checkpoint: 12,
  stalled: 6,
  forward: 10,
  ending: 10,
  rotation: 8,
  recovery: 8,
  migration: 2,
};

/** The call of a first start at which it is killed next; every one gets its turn. */
let migrationAt = 0;

/** A new data directory: the first start is killed, at one call after the other, then succeeds. */
async function migrate(lane, enough) {
  lane.newDirectory();
  if (lane.random.chance(0.3)) lane.makeEmptyDatabase();
  for (let times = lane.random.number(1, 6); times > 0 && !enough(); --times) {
    const from = ++migrationAt;
    const rule = { calls: anyCall, file: 'verbatim.db', action: kill(lane.random), from };
    if (await lane.startAndDie(rule)) {
      lane.tally.count(lane.tally.kills, 'migration');
    } else {
      lane.tally.migrationCalls = migrationAt - 1; // the number of calls there were: begin again
      migrationAt = 0;
      return;
    }
  }
  await lane.start();
}

/** Starts again after a kill; first, if so asked, with kills in the middle of it. */
async function restart(lane, again, enough) {
  for (let times = again; times > 0 && !enough(); --times) {
    const rule = {
      calls: anyCall,
      file: '.db', // the database and the fallback segment
      action: kill(lane.random),
      from: lane.random.number(1, 70),
    };
    if (!(await lane.startAndDie(rule))) return;
    lane.tally.count(lane.tally.kills, 'recovery');
  }
  await lane.start();
}

async function run(lane, { sessions, aim, enough }) {
  const { random, tally } = lane;
  await migrate(lane, aim && aim !== 'migration' ? () => true : enough);
  while (!enough()) {
    const name = aim ?? random.weighted(shares);
    if (name === 'migration') {
      await lane.leave();
      await migrate(lane, enough);
    }
    const strike = strikes[name] ? name : 'random';
    const records = await lane.meet(sessions, async (talkers) => {
      const hit = await strikes[strike](lane, talkers);
      // An orderly stop that came first is not a kill.
      const killed = (await lane.relay.program.over).signal === 'SIGKILL';
      if (!hit) tally.count(tally.missed, strike);
      if (killed) tally.count(tally.kills, hit ? strike : 'random');
    });
    const again = name === 'recovery' || name === 'rotation' ? random.number(1, 4) : 0;
    await restart(lane, again, enough);
    await lane.verify(records);
  }
  await lane.leave();
}

/** The whole: resolves to the tally. */
export async function kills({
  kills: wanted,
  seed,
  sessions = 6,
  lanes = 3,
  aim,
  set = [],
  onProgress,
}) {
  if (aim && !(aim in shares))
    throw new Error(`no aim ${aim}; there are ${Object.keys(shares).join(', ')}`);
  const scope = new Scope();
  const tally = new Tally();
  // On a slow machine the first kills can come before any text: then more of them follow, up to a bound.
  const heard = () => aim === 'migration' || tally.characters > 0 || tally.killed >= 10 * wanted;
  const enough = () => (tally.killed >= wanted && heard()) || tally.breaches.length >= 20;
  try {
    const received = new Received(temporaryDirectory(scope));
    const args = ['--seed', String(seed), ...received.args];
    const simulator = await startSimulator(scope, args, '0.02');
    const running = Array.from({ length: lanes }, (_, i) => {
      // In half of the lanes the sessions of a killed relay wait for their clients.
      const window = i % 2 ? '2s' : '0s';
      const lane = new Lane({ simulator, received, tally, set, window, random: new Random(seed * 1000 + i) });
      scope.after(() => lane.close());
      return run(lane, { sessions, aim, enough }).catch((error) => {
        // A relay that does not start again fails the run: nothing can be read.
        tally.breach('O4', 'stuck', error.stack);
      });
    });
    const telling = onProgress && setInterval(() => onProgress(tally), 30_000);
    await Promise.all(running).finally(() => clearInterval(telling));
  } finally {
    await scope.close();
  }
  return tally;
}

export function report(tally, seed) {
  const list = (counts) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `seed        ${seed}`,
    `kills       ${tally.killed}: ${list(tally.kills)}`,
    `missed      ${list(tally.missed) || 'none'}`,
    `migration   ${tally.migrationCalls ? `all of its ${tally.migrationCalls} calls` : 'not every call'}`,
    `sessions    ${tally.sessions}`,
    `turns       ${tally.turns}`,
    `characters  ${tally.characters} seen`,
    ...['lost', 'duplicated', 'stuck', 'invented'].map(
      (kind) => `${kind.padEnd(11)} ${tally.of(kind)}`,
    ),
    ...tally.breaches.slice(0, 20).map(({ rule, kind, what }) => `  ${rule} ${kind}: ${what}`),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '5000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      sessions: { type: 'string', default: '6' },
      lanes: { type: 'string', default: '3' },
      aim: { type: 'string' },
      set: { type: 'string', multiple: true },
    },
  });
  const begin = Date.now();
  const seed = Number(values.seed);
  let printed = 0;
  console.error(`seed ${seed}`);
  const tally = await kills({
    seed,
    kills: Number(values.kills),
    sessions: Number(values.sessions),
    lanes: Number(values.lanes),
    aim: values.aim,
    set: values.set,
    onProgress: (so_far) => {
      console.error(`${so_far.killed} kills, ${so_far.breaches.length} breaches`);
      // Printed at once: a long run that is interrupted has still reported them.
      for (const { rule, kind, what } of so_far.breaches.slice(printed))
        console.error(`  ${rule} ${kind}: ${what}`);
      printed = so_far.breaches.length;
    },
  });
  console.log(report(tally, seed));
  console.log(`time        ${Math.round((Date.now() - begin) / 1000)} s`);
  process.exit(tally.breaches.length > 0 ? 1 : 0);
}
