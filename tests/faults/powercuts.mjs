// Cuts the power of the disk with the program's data again and again while people talk through it. Compares
// what clients received before each cut with what the store kept. Prints the actions and results; exits 1 if
// text was lost, duplicated or invented, or a session is stuck.
//
//   node tests/faults/powercuts.mjs [--cuts 1000] [--seed N] [--sessions 6] [--lanes 2]
//                                   [--durability power|process] [--set section.key=value]...
//
// In each of the `--lanes` a relay runs on a disk of its own, and `--sessions` people talk at once. Needs root,
// loop devices and e2fsprogs. The kinds of cuts:
//
//   talk      at any instant while people talk, also during checkpoints and pruning
//   ending    while all conversations end at once, or while the program stops
//   recovery  during a start after a cut, repeatedly
//   first     while the data directory and the database are first made
//
// Only what was received before the cut counts: a sync that runs during the cut may still report success to the
// program.
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { Disk, ownNamespace, whyNot } from './disk.mjs';
import { Lane, Scope, Tally } from './lane.mjs';
import { Received } from './received.mjs';
import { Random } from './traffic.mjs';

/** How long people talk at most before the power goes. */
const longest_ms = 200;
/** A start is over by then. */
const start_ms = 60;
/** Number of cuts of one data directory. After these the whole directory is checked, and a new one is made. */
const cutsEach = 15;

const shares = { talk: 75, ending: 15, recovery: 10 };

/** The power goes for a relay and the people on it: what they receive now does not count. */
async function cut(lane, talkers) {
  lane.dark = true;
  const { size } = lane.received;
  for (const talker of talkers) talker.cut(talker.client.events.length, size);
  lane.disk.cut();
  await lane.relay.program.stop('SIGKILL');
}

const strikes = {
  async talk(lane, talkers) {
    await sleep(lane.random.fraction() * longest_ms);
    await cut(lane, talkers);
  },
  async ending(lane, talkers) {
    const { random, relay } = lane;
    await sleep(longest_ms / 4 + (random.fraction() * longest_ms) / 2);
    if (random.chance(0.4)) relay.program.child.kill('SIGTERM');
    else for (const talker of talkers) talker.leave();
    await sleep(random.fraction() * 20);
    await cut(lane, talkers);
  },
};

/** The power goes while the relay starts; it may have been ready by then. */
async function cutStart(lane, aim) {
  const started = lane.start().catch(() => {}); // its disk does not respond
  await sleep(lane.random.fraction() * start_ms);
  lane.disk.cut();
  await started;
  await lane.stop();
  await lane.disk.revive();
  lane.tally.count(lane.tally.kills, aim);
}

class PowerTally extends Tally {
  costly = 0; // cuts after which something was lost or changed
}

async function run(lane, { sessions, set, enough }) {
  const { random, tally } = lane;
  while (!enough()) {
    lane.newDirectory();
    // With rare checkpoints more of the WAL has been synced only by commits.
    lane.set = [...set, `journal.wal_checkpoint_bytes=${random.pick(['64KiB', '16MiB'])}`];
    for (let times = random.number(0, 3); times > 0 && !enough(); --times)
      await cutStart(lane, 'first');
    await lane.start();
    for (let cuts = 0; cuts < cutsEach && !enough(); ++cuts) {
      const aim = random.weighted(shares);
      const strike = strikes[aim] ?? strikes.talk;
      const records = await lane.meet(sessions, (talkers) => strike(lane, talkers));
      await lane.disk.revive();
      lane.dark = false;
      tally.count(tally.kills, strike.name);
      const again = aim === 'recovery' ? random.number(1, 3) : 0;
      for (let times = again; times > 0 && !enough(); --times) await cutStart(lane, 'recovery');
      await lane.start();
      const before = tally.breaches.length;
      await lane.verify(records);
      tally.costly += tally.breaches.length > before;
    }
    await lane.leave();
  }
}

/** The whole: resolves to the tally. */
export async function powercuts({ cuts, seed, sessions = 6, lanes = 2, set = [], onProgress }) {
  const scope = new Scope();
  const tally = new PowerTally();
  const enough = () => tally.killed >= cuts || tally.breaches.length >= 1000;
  try {
    const received = new Received(temporaryDirectory(scope));
    const args = ['--seed', String(seed), ...received.args];
    const simulator = await startSimulator(scope, args, '0.02');
    const running = Array.from({ length: lanes }, (_, i) => {
      const own = new Scope();
      scope.after(() => own.close());
      const disk = new Disk(own);
      // The relay makes its data directory itself: it too must be there after a cut.
      const place = () => join(disk.directory(), 'data');
      const random = new Random(seed * 1000 + i);
      // In half of the lanes the sessions of a relay that lost its power wait for their clients.
      const window = i % 2 ? '2s' : '0s';
      const lane = new Lane({ simulator, received, tally, random, scope: own, place, window });
      own.after(() => lane.stop());
      lane.disk = disk;
      lane.env = {}; // the program as shipped, without the shim
      return run(lane, { sessions, set, enough });
    });
    const telling = onProgress && setInterval(() => onProgress(tally), 30_000);
    await Promise.all(running).finally(() => clearInterval(telling));
  } finally {
    await scope.close();
  }
  return tally;
}

export function report(tally, seed) {
  const aims = Object.entries(tally.kills).map(([name, count]) => `${name} ${count}`);
  return [
    `seed        ${seed}`,
    `cuts        ${tally.killed}: ${aims.join(', ')}`,
    `sessions    ${tally.sessions}`,
    `turns       ${tally.turns}`,
    `characters  ${tally.characters} seen`,
    ...['lost', 'duplicated', 'stuck', 'invented'].map(
      (kind) => `${kind.padEnd(11)} ${tally.of(kind)}`,
    ),
    `costly      ${tally.costly} cuts after which something was not as it was seen`,
    ...tally.breaches.slice(0, 20).map(({ rule, kind, what }) => `  ${rule} ${kind}: ${what}`),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      cuts: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      sessions: { type: 'string', default: '6' },
      lanes: { type: 'string', default: '2' },
      durability: { type: 'string', default: 'power' },
      set: { type: 'string', multiple: true, default: [] },
    },
  });
  const reason = whyNot();
  if (reason) {
    console.error(`powercuts: ${reason}`);
    process.exit(2);
  }
  await ownNamespace();
  const begin = Date.now();
  const seed = Number(values.seed);
  console.error(`seed ${seed}`);
  const tally = await powercuts({
    seed,
    cuts: Number(values.cuts),
    sessions: Number(values.sessions),
    lanes: Number(values.lanes),
    set: [`journal.durability=${values.durability}`, ...values.set],
    onProgress: (so_far) =>
      console.error(`${so_far.killed} cuts, ${so_far.breaches.length} breaches`),
  });
  console.log(report(tally, seed));
  console.log(`time        ${Math.round((Date.now() - begin) / 1000)} s`);
  process.exit(tally.breaches.length > 0 ? 1 : 0);
}
