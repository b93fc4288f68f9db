// The faults around an end, as the columns of a table:
//
//   arm        makes it happen; returns what it armed in the shim, if anything, first the rule that
//              /readyz must notice
//   variants   each runs in every cell: its members are added to the fault's
//   reasons    reasons that may be kept because of it, beside the path's; also crash_recovered, if
//              the program did not end in order
//   set        settings of the relay, before the path's
//   lasts      milliseconds after which it is over; without it, until all have ended
//   ends       it may end the program
//   rotates    the relay may stay in the fallback directory until the next start
//   unfinished if stopped meanwhile, the program's exit code may say that not all was written
//   poisons    not one byte may be written to the file after it
//   unready    /readyz must answer 503 while it lasts
//   again      another one happens when the program starts again
//   proxy      it is in the TCP lines: between half of the people and the relay, and for the others
//              between the relay and the provider
//   disk       needs a disk of its own
//   webhook    a back end gets a message for every end; in the end it must have each exactly once
//   slow       how much longer it takes than others, in milliseconds
//   hurried    settings with which a sample takes less time
//   cannot     why it does not exist yet
import { setTimeout as sleep } from 'node:timers/promises';
import { pings } from './paths.mjs';

const storage = ['storage_failure'];

const log = '*verbatim.db-wal';
const database = '*verbatim.db';
export const anyLog = '*.db-wal';

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
      // A program that is stopped while everything is held ends without having written it.
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
    // A sample has no time to wait for it; and a sync of one second is no such disk.
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
    // It may hit a conversation, the journal, or all of them.
    reasons: [...storage, 'upstream_error', 'upstream_lost', 'client_lost', 'policy'],
    arm: shim((random) => ({
      calls: 'alloc',
      action: 'fail',
      atLeast: 512,
      from: random.number(1, 100),
    })),
  },
  // The buffers of a person who does not read fill slowly behind such a line.
  '10 % loss': { proxy: true, slow: 15_000, arm: bad((line) => (line.lossy = true)) },
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
