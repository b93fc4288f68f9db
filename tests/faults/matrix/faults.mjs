// What can go wrong around an end. `reasons`: what may be kept as the reason because of it; `ends`:
// the program may end by it. `before` arms it when people talk, `around` strikes beside the path's
// own strike; both get the cell. `heals`: when it is over the relay is ready again, by itself.
// `lasts`: so many milliseconds, or 'for good': until the program has ended.
import { setTimeout as sleep } from 'node:timers/promises';

const crash = ['crash_recovered'];
const storage = ['storage_failure', 'crash_recovered'];
const lost = ['client_lost', 'slow_client'];

const pickKill = (random) => random.pick(['kill_before', 'kill_after', 'tear']);
const log = '*-wal';

const arm =
  (rule) =>
  ({ lane, random }) => {
    lane.shim.arm(typeof rule === 'function' ? rule(random) : rule);
  };

const full = ({ lane }, from, to) => {
  lane.shim.arm({
    calls: ['write', 'truncate'],
    file: 'verbatim.db',
    action: 'fail',
    error: 'ENOSPC',
    from,
    to,
  });
};

/** A failed disk, with a fallback directory or without. */
const broken = { reasons: storage, ends: true, variants: ['fallback', 'none'] };
const setFallback = (variant) => (variant === 'none' ? ['storage.fallback_dir='] : []);

/** What the client asked for may not have arrived: then it is silent. */
const network = { proxy: true, reasons: [...lost, 'idle_timeout'] };

export const faults = {
  none: {},
  'kill at a call': {
    ends: true,
    reasons: crash,
    around: arm((random) => ({
      calls: ['write', 'fdatasync'],
      file: log,
      action: pickKill(random),
      from: random.number(1, 12),
    })),
  },
  'random cut': {
    ends: true,
    reasons: crash,
    async around({ lane, random }) {
      await sleep(random.number(0, 60));
      lane.relay.program.child.kill('SIGKILL');
    },
  },
  'ENOSPC once': { reasons: [], heals: true, before: (cell) => full(cell, 1, 1) },
  'ENOSPC 2 s': {
    reasons: ['storage_failure'],
    heals: true,
    lasts: 2000,
    before: (cell) => full(cell),
  },
  'ENOSPC for good': {
    reasons: storage,
    ends: true,
    lasts: 'for good',
    before: (cell) => full(cell),
  },
  'EIO on write': {
    ...broken,
    set: setFallback,
    before: arm({ calls: 'write', file: 'verbatim.db-wal', action: 'fail', from: 2 }),
  },
  'fsync fails once': {
    ...broken,
    set: setFallback,
    before: arm({ calls: 'fdatasync', file: 'verbatim.db-wal', action: 'lose', from: 1 }),
  },
  'fsync fails for good': {
    ...broken,
    set: setFallback,
    lasts: 'for good',
    before: arm({ calls: ['fdatasync', 'fsync'], file: 'verbatim.db', action: 'fail' }),
  },
  'checkpoint fails': {
    ...broken,
    set: (variant) => ['journal.wal_checkpoint_bytes=64KiB', ...setFallback(variant)],
    before: arm({ calls: ['write', 'fdatasync'], file: '*verbatim.db', action: 'fail' }),
  },
  'fsync 20 ms': {
    heals: true,
    before: arm({ calls: 'fdatasync', file: log, action: 'delay', ms: 20 }),
  },
  'fsync 1 s': {
    hides: {
      'browser too slow':
        'no client is slower than a disk that takes a second for each of its words',
    },
    heals: true,
    slow: 1000,
    reasons: [],
    before: arm({ calls: 'fdatasync', file: log, action: 'delay', ms: 1000 }),
  },
  'fsync 15 s': {
    reasons: storage,
    ends: true,
    slow: 15_000,
    before: arm({ calls: 'fdatasync', file: log, action: 'delay', ms: 15_000 }),
  },
  'short write': {
    before: arm({ calls: 'write', file: 'verbatim.db', action: 'shorten', from: 1, to: 20 }),
  },
  'allocation fails': {
    ends: true,
    // Whom it meets, it meets: a session, the journal, or everybody.
    reasons: [
      ...storage,
      'upstream_error',
      'upstream_lost',
      'client_lost',
      'client_closed',
      'policy',
    ],
    before: arm((random) => ({
      calls: 'alloc',
      action: 'fail',
      atLeast: 512,
      from: random.number(1, 400),
    })),
  },
  '10 % loss': { ...network, before: ({ proxy }) => (proxy.mode = 'loss') },
  blackhole: { ...network, around: async ({ proxy }) => (proxy.mode = 'blackhole') },
  reset: { ...network, around: async ({ proxy }) => proxy.reset() },
  '256 kbit/s': { ...network, before: ({ proxy }) => (proxy.mode = 'slow') },
  'burst x100': {
    async around({ talkers }) {
      for (const talker of talkers) for (let i = 0; i < 100; ++i) talker.say();
    },
  },
  'clock jump': {
    around: async ({ lane, random }) => lane.shim.moveClock(random.pick([-1, 1]) * 3_600_000),
  },
  'sink down': { cannot: 'not built: sinks' },
  'webhook hangs': { cannot: 'not built: webhooks' },
  'second fault in recovery': { again: true },
};
