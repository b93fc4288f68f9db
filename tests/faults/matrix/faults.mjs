// What can go wrong around an end, as the columns of a table:
//
//   arm        lets it happen; gives what it armed in the shim, if it did; first what /readyz must
//              notice
//   variants   each is played in every cell: their members are added to the fault's
//   reasons    what may be kept as the reason because of it, beside the path's; and
//              crash_recovered, of course, if the program did not end in order
//   set        settings of the relay, ahead of the path's
//   lasts      milliseconds after which it is over; without it, until all have ended
//   ends       the program may end by it
//   rotates    it may stay in the fallback directory until the next start
//   unfinished told to end meanwhile, the program may say by its exit code that not all was written
//   poisons    not one byte may be written to the file after it
//   unready    /readyz must say 503 while it lasts
//   again      another one strikes when the program starts again
//   proxy      it is in the lines: of half of the people to the relay, of the others behind it
//   disk       needs a disk of its own
//   webhook    a back end is told of every end; and must have been, once, in the end
//   slow       takes that much longer than others, in milliseconds
//   hurried    settings with which a sample need not take that long
//   cannot     why there is no such thing yet
import { setTimeout as sleep } from 'node:timers/promises';
import { pings } from './paths.mjs';

const storage = ['storage_failure'];

const log = '*verbatim.db-wal';
const database = '*verbatim.db';
export const anyLog = '*-wal';

const shim =
  (...rules) =>
  ({ lane, random }) =>
    rules.map((rule) => lane.shim.arm(typeof rule === 'function' ? rule(random) : rule));

export const kill = (random) => random.pick(['kill_before', 'kill_after', 'tear']);

const nothingFits = { action: 'fail', error: 'ENOSPC' };
const full = (rule) =>
  shim({ calls: ['write', 'truncate'], file: 'verbatim.db', ...nothingFits, ...rule });
/** The same, with what a commit meets apart from what only a checkpoint does. */
const fullForCommits = shim(
  { calls: 'write', file: log, ...nothingFits },
  { calls: 'truncate', file: log, ...nothingFits },
  { calls: ['write', 'truncate'], file: database, ...nothingFits },
);

/** A disk that has failed: conversations go on elsewhere, or end with the program. */
const broken = {
  unfinished: true,
  poisons: true,
  rotates: true,
  variants: {
    fallback: { unready: true },
    'no fallback': { set: ['storage.fallback_dir='], ends: true, reasons: storage },
  },
};

const bad =
  (act) =>
  async ({ people }) => {
    // A person whose conversation a limit has ended before the fault has no line any more.
    for (const { line } of people) if (line) act(line);
  };

const outOfOrder =
  (mode) =>
  async ({ receiver }) => {
    receiver.mode = mode;
    return [receiver];
  };

export const faults = {
  none: {},
  'kill at a call': {
    ends: true,
    arm: shim((random) => ({
      calls: ['write', 'fdatasync'],
      file: anyLog,
      action: kill(random),
      from: random.number(1, 15),
    })),
  },
  'random cut': {
    ends: true,
    disk: true,
    async arm(cell) {
      await sleep(cell.random.number(0, 60));
      await cell.cutPower();
    },
  },
  'ENOSPC once': { arm: full({ from: 1 }) },
  'ENOSPC 2 s': {
    lasts: 2000,
    unready: true,
    arm: fullForCommits,
    variants: {
      waited: { set: ['journal.full_retry=10s'] },
      fallback: {},
      'no fallback': { set: ['storage.fallback_dir='], unfinished: true, reasons: storage },
    },
  },
  'ENOSPC for good': {
    unready: true,
    arm: fullForCommits,
    variants: {
      fallback: {},
      // Who is told to end while all is held back ends without having written it.
      'no fallback': { set: ['storage.fallback_dir='], ends: true, reasons: storage },
    },
  },
  'EIO on write': { ...broken, arm: shim({ calls: 'write', file: log, action: 'fail' }) },
  'fsync fails once': {
    ...broken,
    arm: shim({ calls: 'fdatasync', file: log, action: 'lose', from: 1 }),
  },
  'fsync fails for good': {
    ...broken,
    arm: shim({ calls: ['fdatasync', 'fsync'], file: log, action: 'lose' }),
  },
  'checkpoint fails': {
    ...broken,
    arm: shim({ calls: ['write', 'fdatasync'], file: database, action: 'fail' }),
  },
  'fsync 20 ms': { arm: shim({ calls: 'fdatasync', file: anyLog, action: 'delay', ms: 20 }) },
  'fsync 1 s': {
    slow: 4000,
    arm: shim({ calls: 'fdatasync', file: anyLog, action: 'delay', ms: 1000 }),
  },
  'fsync 15 s': {
    ends: true,
    slow: 20_000,
    // A sample has no time to wait for it; a sync of one second is no such disk.
    hurried: ['journal.stuck_commit=1s'],
    unready: true,
    reasons: storage,
    arm: ({ lane, hurry }) => [
      lane.shim.arm({
        calls: 'fdatasync',
        file: anyLog,
        action: 'delay',
        ms: hurry ? 3000 : 15_000,
        from: 1,
      }),
    ],
  },
  'short write': { arm: shim({ calls: 'write', file: 'verbatim.db', action: 'shorten' }) },
  'allocation fails': {
    ends: true,
    rotates: true,
    // Whom it meets, it meets: a conversation, the journal, or everybody.
    reasons: [...storage, 'upstream_error', 'upstream_lost', 'client_lost', 'policy'],
    arm: shim((random) => ({
      calls: 'alloc',
      action: 'fail',
      atLeast: 512,
      from: random.number(1, 100),
    })),
  },
  '10 % loss': { proxy: true, arm: bad((line) => (line.lossy = true)) },
  blackhole: {
    proxy: true,
    set: pings,
    loses: true,
    arm: bad((line) => (line.dark = true)),
  },
  reset: { proxy: true, loses: true, arm: bad((line) => line.reset()) },
  '256 kbit/s': { proxy: true, slow: 2000, arm: bad((line) => (line.rate = 32_000)) },
  'burst x100': {
    async arm({ people }) {
      for (const person of people) person.burst(100);
    },
  },
  'clock jump': {
    async arm({ lane, random }) {
      lane.shim.moveClock(random.pick([-1, 1]) * random.number(1, 7 * 24) * 3_600_000);
    },
  },
  'sink down': { webhook: true, arm: outOfOrder('down') },
  'webhook hangs or redirects': {
    webhook: true,
    variants: {
      hangs: { arm: outOfOrder('hangs') },
      redirects: { arm: outOfOrder('redirects') },
    },
  },
  'second fault in recovery': { again: true },
};
