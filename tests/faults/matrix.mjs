// The fault matrix: every way in which a conversation can end, under every fault. Prints which cells passed;
// exits 1 if one failed, with the command that repeats it.
//
//   node tests/faults/matrix.mjs [--seed N] [--path NAME] [--fault NAME] [--repeat N] [--jobs N]
//                                [--sample] [--set section.key=value]...
//
// Ends and faults are tables (matrix/paths.mjs, matrix/faults.mjs); one engine runs a cell (matrix/cell.mjs).
// The seed and a cell's name give the cell's own seed. `--repeat` continues with the following seeds.
// `--sample` runs every end and every fault at least once, in seconds. Power cuts need root and loop devices
// (see disk.mjs); without them their cells cannot run.
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Voices } from '../e2e/support/voice.mjs';
import { ownNamespace, whyNot } from './disk.mjs';
import { Scope } from './lane.mjs';
import { Cell } from './matrix/cell.mjs';
import { faults } from './matrix/faults.mjs';
import { paths } from './matrix/paths.mjs';
import { Random } from './traffic.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    path: { type: 'string' },
    fault: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '16' },
    sample: { type: 'boolean', default: false },
    set: { type: 'string', multiple: true, default: [] },
  },
});

/** A row of a table with one of its variants folded in. */
const folded = (row, variant) => ({ ...row, ...row.variants?.[variant], variant });

function seedOf(seed, name) {
  let hash = seed >>> 0;
  for (const letter of name) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0;
  return hash;
}

/** Why there is no such cell; nothing if there is one. */
function cannot(path, fault) {
  if (faults[fault].cannot) return faults[fault].cannot;
  return paths[path].disk || faults[fault].disk ? noDisk : undefined;
}

/** The plays of this cell: each variant of the fault, with one of the path's. */
function playsOf(path, fault, seed) {
  const random = new Random(seedOf(seed, `${path} x ${fault}`));
  const ways = Object.keys(paths[path].variants ?? { '': 0 });
  return Object.keys(faults[fault].variants ?? { '': 0 }).map((variant) => ({
    ...{ name: `${path} x ${fault}`, pathName: path, faultName: fault, cellSeed: seed },
    path: folded(paths[path], random.pick(ways)),
    fault: folded(faults[fault], variant),
    seed: random.number(0, 2 ** 31),
  }));
}

/** Every path and every fault at least once, in pairs that the seed chooses. */
function sampleOf(seed) {
  const random = new Random(seed);
  const shuffled = (list) =>
    list.map((name) => [random.fraction(), name]).sort(([a], [b]) => a - b);
  const some = shuffled(Object.keys(paths)).map(([, name]) => name);
  const possible = Object.keys(faults).filter((name) => !faults[name].cannot);
  return shuffled(possible).map(([, fault], i) => [some[i % some.length], fault]);
}

const begin = Date.now();
const noDisk = whyNot();
if (!noDisk) await ownNamespace();
const seed = Number(values.seed);
console.error(`seed ${seed}`);

const pairs = values.sample
  ? sampleOf(seed)
  : Object.keys(paths).flatMap((path) => Object.keys(faults).map((fault) => [path, fault]));
const wanted = pairs.filter(
  ([path, fault]) => (values.path ?? path) === path && (values.fault ?? fault) === fault,
);
if (wanted.length === 0) {
  const names = (table) => Object.keys(table).join(', ');
  console.error(`matrix: no such cell.\npaths: ${names(paths)}\nfaults: ${names(faults)}`);
  process.exit(2);
}

const marks = new Map(); // by cell: its mark in the table
const reasons = new Map(); // why cells cannot run, and how many
const plays = [];
for (const [path, fault] of wanted) {
  const reason = cannot(path, fault);
  if (reason) {
    marks.set(`${path} x ${fault}`, '-');
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    continue;
  }
  for (let round = 0; round < Number(values.repeat); ++round) {
    const some = playsOf(path, fault, seed + round);
    plays.push(...(values.sample ? [new Random(seed).pick(some)] : some));
  }
}
// Cells that wait long begin first; all others run meanwhile.
plays.sort((a, b) => (b.fault.slow ?? 0) - (a.fault.slow ?? 0));

const total = { plays: 0, struck: 0, sessions: 0, turns: 0, characters: 0 };
const breaches = [];

async function play(provider, one) {
  const cell = new Cell({ ...one, provider, set: values.set, hurry: values.sample });
  const tally = await cell.run();
  ++total.plays;
  total.struck += cell.struck ? 1 : 0;
  for (const figure of ['sessions', 'turns', 'characters']) total[figure] += tally[figure];
  breaches.push(...tally.breaches);
  // A fault counts for the cell if it happened in one of its runs.
  const mark = tally.breaches.length > 0 ? 'X' : cell.struck ? '+' : 'o';
  const before = marks.get(one.name);
  marks.set(one.name, before === 'X' || (before === '+' && mark === 'o') ? before : mark);
  if (mark !== 'X') return;
  const variants = [one.path.variant, one.fault.variant].filter(Boolean).join(', ');
  console.error(
    `${one.name} (${variants}) failed; again: node tests/faults/matrix.mjs --seed ${one.cellSeed} --path '${one.pathName}' --fault '${one.faultName}'`,
  );
  for (const { rule, kind, what } of tally.breaches.slice(0, 5))
    console.error(`  ${rule} ${kind}: ${what}`);
}

const scope = new Scope();
const provider = await Voices.start(scope, { odd: (name) => new Random(seedOf(seed, name)) });
const waiting = [...plays];
const telling = setInterval(
  () => console.error(`${total.plays} of ${plays.length} played, ${breaches.length} breaches`),
  30_000,
);
const work = async () => {
  for (let one = waiting.shift(); one; one = waiting.shift()) await play(provider, one);
};
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
clearInterval(telling);
await scope.close();

const letters = Object.keys(paths).map((_, i) => String.fromCharCode(65 + i));
const width = Math.max(...Object.keys(faults).map((name) => name.length));
console.log(`${''.padEnd(width)}  ${letters.join(' ')}`);
for (const fault of Object.keys(faults)) {
  const row = Object.keys(paths).map((path) => marks.get(`${path} x ${fault}`) ?? ' ');
  console.log(`${fault.padEnd(width)}  ${row.join(' ')}`);
}
const cellsOf = (mark) => [...marks.values()].filter((one) => one === mark).length;
console.log(
  [
    '',
    Object.keys(paths)
      .map((path, i) => `${letters[i]} ${path}`)
      .join(', '),
    '',
    `+           ${cellsOf('+')} cells held`,
    `o           ${cellsOf('o')} held, but the end came before the fault could strike`,
    `X           ${cellsOf('X')} failed`,
    ...[...reasons].map(([reason, count]) => `-           ${count} cannot be: ${reason}`),
    `seed        ${seed}`,
    `played      ${total.plays}; the fault struck in ${total.struck}`,
    `sessions    ${total.sessions}`,
    `turns       ${total.turns}`,
    `characters  ${total.characters} seen and checked`,
    ...['lost', 'duplicated', 'stuck', 'invented', 'wrong'].map((kind) => {
      const count = breaches.filter((breach) => breach.kind === kind).length;
      return `${kind.padEnd(11)} ${count}`;
    }),
    `time        ${Math.round((Date.now() - begin) / 1000)} s`,
  ].join('\n'),
);
process.exit(breaches.length > 0 ? 1 : 0);
